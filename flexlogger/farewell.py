"""What a run says when it ends: nothing, unless something did not get through."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flexlogger import faults


def tell(status: Mapping[str, Any], complete: bool, folder: Path) -> None:
    """Warn, a line each, of what a closed pipe's `status` says was dropped, of views that were away for a while, and of
    what a log or a view lacks.

    `complete` says whether everything was written and shown.
    """
    if status["dropped"]:
        faults.log.warning("flexlogger: dropped, by reason: %s", status["dropped"])
    if status["unencodable"]:
        faults.log.warning("flexlogger: %d records could not be encoded", status["unencodable"])
    if complete:
        _tell_outages(status["views"])
        return
    if status["log"] is None:
        faults.log.warning("flexlogger: the dashboard is not complete, and without a run log it stays so")
    elif status["stuck"] or status["dropped"].get("not written before close"):
        faults.log.warning("flexlogger: the run log in %s is not complete", folder)
    elif late := _late(status["views"]):
        told = "flexlogger: %s did not get everything; it is in %s, and whoever opens the run again brings it there"
        faults.log.warning(told, " and ".join(late), folder)
    else:
        draws = f"flexlogger replay {shlex.quote(str(folder))} --to visdom"
        later = next((view["later"] for view in status["views"].values() if "later" in view), draws)
        does = "draws it" if later == draws else "sends it"
        faults.log.warning(
            "flexlogger: the dashboard is not complete; everything is in %s, and this %s: %s", folder, does, later
        )


def _late(views: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The views that are away; none where one of them is a dashboard, which a replay draws."""
    away = [name for name, view in views.items() if not view.get("ok", True)]
    return away if not any(name.startswith("visdom") or "later" in views[name] for name in away) else []


def _tell_outages(views: Mapping[str, Mapping[str, Any]]) -> None:
    for name, view in views.items():
        if view["outages"]:
            times = "once" if view["outages"] == 1 else f"{view['outages']} times"
            away = view["away_s"]
            faults.log.warning("flexlogger: %s was away %s, %.0f s in all; it shows everything", name, times, away)
