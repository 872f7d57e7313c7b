"""The functions and variables of `flexlogger.runs`: the current run's, under the names a wandb script calls them by."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch.nn import Module

from flexlogger import faults
from flexlogger.errors import RunLogError, ValueRefusedError, unknown
from flexlogger.records import Step
from flexlogger.session import make_current
from flexlogger.tracking import charts as plot
from flexlogger.tracking import opening
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.config import Config
from flexlogger.tracking.media import Histogram, Html, Image
from flexlogger.tracking.run import CLOSE_S, TrackedRun
from flexlogger.tracking.summaries import Summary
from flexlogger.tracking.table import Table

__all__ = [
    "Artifact",
    "Config",
    "Histogram",
    "Html",
    "Image",
    "Summary",
    "Table",
    "TrackedRun",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "log_artifact",
    "log_model",
    "login",
    "plot",
    "run",
    "summary",
    "unwatch",
    "use_artifact",
    "use_model",
    "watch",
]

WITHOUT_EFFECT = (
    *("entity", "group", "job_type", "reinit", "force", "anonymous", "allow_val_change", "save_code"),
    *("monitor_gym", "settings"),
)
"""Keywords of wandb's that ask for nothing there is here: accounts, uploads, and what happens anyway."""

config: Config
"""The hyper-parameters of the current run."""
summary: Summary
"""The summary of the current run."""
run: TrackedRun | None
"""The current run; None before `init` and after `finish`."""

_current: TrackedRun | None = None


def __getattr__(name: str) -> Any:
    if name == "run":
        return _open()
    if name in ("config", "summary"):
        return getattr(_current, name) if _open() is not None else _Whichever(name)
    raise AttributeError(f"module 'flexlogger.runs' has no attribute {name!r}")


def login(*_: Any, **__: Any) -> bool:
    """Say that there is nothing to do: there is no account. Takes whatever wandb's does."""
    print("flexlogger: no login is needed: runs are kept on this machine", file=sys.stderr)
    return True


def init(
    project: str | None = None,
    *,
    name: str | None = None,
    id: str | None = None,
    tags: str | Sequence[str] | None = None,
    notes: str | None = None,
    config: Mapping[str, Any] | Namespace | None = None,
    resume: bool | str | None = None,
    dir: str | os.PathLike[str] | None = None,
    mode: opening.Mode | None = None,
    dashboard: opening.Source | None = None,
    server: str | None = None,
    port: int | None = None,
    env: str | None = None,
    uid: str | None = None,
    token: str | None = None,
    pipe: str | None = None,
    keys: str | os.PathLike[str] | None = None,
    **without_effect: Any,
) -> TrackedRun:
    """Open a run and make it the current one; one that is open is finished first.

    Its log is kept in `dir`/`project`/`id` (dir: FLEXLOGGER_DIR, or ./flexlogger_runs; project: "default"; id: date and
    time). `name`, `tags` and `notes` are what it is found by, `config` are its hyper-parameters: a dict or parsed
    arguments. `dashboard` is a preset, a YAML file or a dict that declares windows for what will be logged; the rest
    gets windows by its shape. `server`, `port`, `env`, `uid` and `token` say where it is drawn, `pipe` and `keys`
    by whom (docs/pipes.md).

    An id that exists is continued: its curves, its step counter, its summary. `resume`: "must" refuses an id that does
    not exist and "never" one that does; "auto" or True, without an id, continues the project's latest run on this
    machine if that crashed.

    `mode`: "offline" logs and draws nothing, "disabled" does nothing at all.

    Keywords that wandb's init has for accounts and uploads are taken and ignored. Raises ConfigError or
    ValueRefusedError for what cannot be, with the nearest name, RunLogError where the run is not what `resume` says.
    """
    _check(without_effect)
    settings: dict[str, Any] = {"project": project, "name": name, "run": id, "notes": notes}
    settings |= {"server": server, "port": port, "env": env, "uid": uid, "token": token}
    settings |= {"pipe": pipe, "keys": os.fspath(keys) if keys is not None else None}
    settings["dir"] = os.fspath(dir) if dir is not None else None
    settings["tags"] = [tags] if isinstance(tags, str) else list(tags) if tags is not None else None
    plan = opening.plan(dashboard, settings, config, resume, mode)
    if (before := _open()) is not None:
        faults.log.warning("flexlogger: init was called again, so run %s is finished", before.id)
        before.finish()
    global _current
    _current = opening.start(plan)
    make_current(_current.session)
    if _current.url is not None and _current.session.owner:
        print(f"flexlogger: run {_current.project}/{_current.id} is shown at {_current.url}", file=sys.stderr)
    return _current


def _check(keywords: Mapping[str, Any]) -> None:
    for keyword in keywords:
        if keyword not in WITHOUT_EFFECT:
            known = [*init.__annotations__, *WITHOUT_EFFECT]
            raise ValueRefusedError(f"init: {unknown('keyword', keyword, set(known) - {'return', 'without_effect'})}")
    reinit = keywords.get("reinit")
    if reinit not in (None, True, False, "default", "finish_previous"):
        raise ValueRefusedError(f"init: reinit: {reinit!r} asks for several runs at once; here a process has one")


def log(data: Mapping[str, Any], step: Step | None = None, commit: bool | None = None) -> None:
    """Record values in the current run; see `TrackedRun.log`."""
    _needed("log").log(data, step, commit)


def define_metric(name: str, **asked: Any) -> None:
    """Say what is wanted of a metric of the current run; see `TrackedRun.define_metric`."""
    _needed("define_metric").define_metric(name, **asked)


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,
    aliases: str | Sequence[str] | None = None,
) -> Artifact:
    """Log an artifact, or the file or folder at a path, in the current run; see `TrackedRun.log_artifact`."""
    return _needed("log_artifact").log_artifact(artifact_or_path, name, type, aliases)


def use_artifact(artifact_or_name: Artifact | str, type: str | None = None) -> Artifact:
    """Find an artifact of the current run's project; see `TrackedRun.use_artifact`."""
    return _needed("use_artifact").use_artifact(artifact_or_name, type)


def log_model(
    path: str | os.PathLike[str], name: str | None = None, aliases: str | Sequence[str] | None = None
) -> Artifact:
    """Log the file or folder of a model in the current run; see `TrackedRun.log_model`."""
    return _needed("log_model").log_model(path, name, aliases)


def use_model(name: str) -> str:
    """Copy a model of the current run's project out and return its path; see `TrackedRun.use_model`."""
    return _needed("use_model").use_model(name)


def watch(model: Module, optimizer: Any = None, log: str = "gradients", log_freq: int = 100, **_: Any) -> None:
    """Log statistics of a model's layers in the current run; see `TrackedRun.watch`. `idx` and `log_graph` of wandb's
    have no effect."""
    _needed("watch").watch(model, optimizer, log, log_freq)


def unwatch(model: Module | None = None) -> None:
    """Stop watching a model, or all of them."""
    _needed("unwatch").unwatch(model)


def finish(exit_code: int | None = None, timeout: float = CLOSE_S) -> None:
    """End the current run, if there is one; see `TrackedRun.finish`."""
    if (current := _open()) is not None:
        current.finish(exit_code, timeout)


def _open() -> TrackedRun | None:
    return _current if _current is not None and not _current.finished else None


def _needed(call: str) -> TrackedRun:
    current = _open()
    if current is None:
        raise RunLogError(f"{call}: no run is open; call flexlogger.runs.init() first")
    return current


class _Whichever:
    """The config or summary of the run that is open when it is used, for who takes hold of it before `init`."""

    def __init__(self, what: str) -> None:
        vars(self)["_what"] = what

    def _current(self) -> Any:
        what = vars(self)["_what"]
        return getattr(_needed(what), what)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._current(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._current(), name, value)

    def __getitem__(self, name: str) -> Any:
        return self._current()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._current()[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._current()

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())
