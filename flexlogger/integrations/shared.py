"""Which run an integration logs into."""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakSet

from torch import distributed

import flexlogger.runs as runs
from flexlogger.errors import ValueRefusedError
from flexlogger.identity import new_run_id

_opened: WeakSet[runs.TrackedRun] = WeakSet()
"""Runs that integrations opened: only who named one of them gets it again."""

_NAMES = ("project", "name", "id", "dir")


def use_run(settings: dict[str, Any], project: str) -> tuple[runs.TrackedRun, bool]:
    """Return the run to log into, and whether it is opened here.

    That is the one that the script has opened with `flexlogger.runs.init`, unless the settings name another project,
    name, id or dir. Otherwise it is opened with the settings, which are `init`'s, in `project` where they name none.

    >>> import flexlogger.runs as runs
    >>> mine = runs.init(mode="disabled")
    >>> use_run({"tags": ["a"]}, "demo")[0] is mine
    True
    >>> use_run({"id": "own", "mode": "disabled"}, "demo")
    (<flexlogger run demo/own>, True)
    >>> runs.finish()
    """
    current = runs.run
    if current is not None:
        named = any(settings.get(name) is not None for name in _NAMES)
        if current.id == settings.get("id") or (not named and current not in _opened):
            return current, False
    if _alone_of_several_ranks() and not any(settings.get(name) for name in ("id", "resume")):
        settings = settings | {"id": new_run_id()}
    opened = runs.init(**settings | {"project": settings.get("project") or project})
    _opened.add(opened)
    return opened, True


def _alone_of_several_ranks() -> bool:
    """Whether the ranks would be asked to agree on a name here, where only rank 0 comes."""
    meets = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
    return meets and not os.environ.get("FLEXLOGGER_RUN")


def check_log_model(log_model: object) -> None:
    """Raise ValueRefusedError for what does not say which checkpoints are to be logged.

    >>> check_log_model("all")
    """
    if log_model != "all" and not isinstance(log_model, bool):
        raise ValueRefusedError(f"log_model: expected True, False or 'all', but got {log_model!r}")
