"""From what `init` is given to an open run."""

from __future__ import annotations

import math
import os
import socket
import time
from argparse import Namespace
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast
from weakref import WeakSet

import msgspec

from flexlogger.config.load import load
from flexlogger.config.model import Dashboard
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.identity import DEFAULT_PROJECT, Resume
from flexlogger.records import Step
from flexlogger.runs.card import Card
from flexlogger.runs.find import base_dir, find_runs, open_found
from flexlogger.runs.rebuild import rebuild_card
from flexlogger.session import Run, open_run, open_runs
from flexlogger.tracking.config import Config
from flexlogger.tracking.metrics import Rule, Rules
from flexlogger.tracking.run import TrackedRun

Mode = Literal["online", "offline", "disabled"]
Source = str | PathLike[str] | Mapping[str, Any]

MODES = ("online", "offline", "disabled")
RESUMES = ("allow", "must", "never", "auto")
_OF_ITS_OWN = ("dir", "env", "uid", "server", "port", "token", "pipe")

_used: WeakSet[Run] = WeakSet()
"""Runs that `init` has opened or joined: each is joined once."""


class Plan(msgspec.Struct, frozen=True):
    """What `init` is to open: everything is checked, and nothing is opened yet."""

    dashboard: Dashboard
    config: dict[str, Any]
    resume: Resume | None
    joins: bool
    """Whether nothing was asked for that a run which is open already could not be."""


def plan(
    source: Source | None,
    settings: Mapping[str, Any],
    config: Mapping[str, Any] | Namespace | None,
    resume: bool | str | None,
    mode: str | None,
) -> Plan:
    """Check what `init` was given; `settings` are keys of a declaration, None where not said.

    Raises ConfigError or ValueRefusedError.
    """
    if mode is not None and mode not in MODES:
        raise ValueRefusedError(f"init: mode: {unknown('word', str(mode), MODES)}")
    if not isinstance(resume, bool) and resume is not None and resume not in RESUMES:
        raise ValueRefusedError(f"init: resume: {unknown('word', str(resume), RESUMES)}")
    said = {key: value for key, value in settings.items() if value is not None}
    dashboard = _in_mode(load({} if source is None else source, overrides=said), mode)
    asked: Resume | None = None
    if resume in ("allow", "must", "never"):
        asked = cast(Resume, resume)
    elif resume:  # True and auto
        asked = "allow"
        dashboard = msgspec.structs.replace(dashboard, run=_id(dashboard) or _crashed(dashboard))
    if asked == "must" and _id(dashboard) is None:
        raise ValueRefusedError("init: resume='must' needs to know which run: give its id")
    joins = asked is None and mode in (None, "online") and not (said.keys() & _OF_ITS_OWN)
    return Plan(dashboard, Config(config).as_dict(), asked, joins)


def _in_mode(dashboard: Dashboard, mode: str | None) -> Dashboard:
    """Offline draws on no dashboard and talks to no tracker; disabled leaves nothing at all behind."""
    if mode == "disabled":
        return msgspec.structs.replace(dashboard, sinks=(), runlog=False)
    if mode == "offline":
        kept = tuple(sink for sink in dashboard.sinks if sink.type not in ("visdom", "wandb", "mlflow"))
        return msgspec.structs.replace(dashboard, sinks=kept, pipe="thread")  # nothing is sent to a monitor either
    return dashboard


def start(plan: Plan) -> TrackedRun:
    """Open the run, or join the one that a FlexLogger of this process has opened, where the plan asks for no other.

    Raises RunLogError where it is not what `resume` asks for, or its log cannot be kept.
    """
    dashboard = plan.dashboard
    shared = _to_join(plan)
    before = _before(dashboard) if shared is None else None
    if shared is not None:
        shared.describe(dashboard.name, (*shared.identity.tags, *dashboard.tags), dashboard.notes or None)
        shared.configure({**dashboard.config, **plan.config})
    run = shared or open_run(dashboard, config=plan.config, resume=plan.resume)
    _used.add(run)
    config = {**(before.config if before is not None else {}), **run.config, **plan.config}
    tracked = TrackedRun(run, dashboard, config, _rules(before), _next_step(dashboard, before))
    if shared is not None:
        shared.drawing.add(tracked, dashboard)
    return tracked


def _to_join(plan: Plan) -> Run | None:
    asked = plan.dashboard
    fitting = [
        run
        for run in open_runs()
        if run not in _used and asked.project in (None, run.project) and asked.run in (None, run.id)
    ]
    return fitting[-1] if fitting and plan.joins else None


def _id(dashboard: Dashboard) -> str | None:
    return dashboard.run or os.environ.get("FLEXLOGGER_RUN", "").strip() or None


def _crashed(dashboard: Dashboard) -> str | None:
    """The id of the project's latest run on this machine, where that one crashed."""
    project = dashboard.project or DEFAULT_PROJECT
    base = base_dir(dashboard.dir)
    runs = find_runs(base, project) if (base / project).is_dir() else []
    latest = next((run for run in runs if run.card.host == socket.gethostname()), None)
    return latest.id if latest is not None and latest.status == "crashed" else None


def _before(dashboard: Dashboard) -> Card | None:
    """What is known of the run if it was there before. The card of one that was killed may be behind its log."""
    run_id = _id(dashboard)
    if run_id is None or not dashboard.runlog:
        return None
    folder = Path(base_dir(dashboard.dir), dashboard.project or DEFAULT_PROJECT, run_id)
    found = open_found(folder, time.time()) if folder.is_dir() else None
    logged = rebuild_card(folder) if found is not None and found.status != "finished" else None
    if found is None or logged is None or logged.last_step is None:
        return found.card if found is not None else None
    last = max(logged.last_step, found.card.last_step if found.card.last_step is not None else logged.last_step)
    return msgspec.structs.replace(found.card, last_step=last)


def _rules(before: Card | None) -> Rules:
    """What `define_metric` asked for before holds on."""
    rules = Rules()
    for metric in before.metrics if before is not None else ():
        try:
            rules.add(msgspec.convert(metric, Rule))
        except msgspec.ValidationError:
            continue  # of another version
    return rules


def _next_step(dashboard: Dashboard, before: Card | None) -> Step:
    if dashboard.resume_step is not None:
        return dashboard.resume_step
    return math.floor(before.last_step) + 1 if before is not None and before.last_step is not None else 0
