"""Which run an integration logs into."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import flexlogger.runs as runs

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
    opened = runs.init(**settings | {"project": settings.get("project") or project})
    _opened.add(opened)
    return opened, True
