"""The runs in a folder: all of them from their cards alone, or the one that somebody means."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.errors import RunLogError, nearest, unknown
from flexlogger.runs.card import Card, Status, read_card, status_of
from flexlogger.runs.rebuild import rebuild_card

DEFAULT_DIR = "flexlogger_runs"
LATEST = "latest"
_SHOWN = 8  # runs that an error lists
_NOT_RUNS = ("artifacts",)


def base_dir(dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds the projects: `dir`, else FLEXLOGGER_DIR, else ./flexlogger_runs."""
    return Path(dir or os.environ.get("FLEXLOGGER_DIR") or DEFAULT_DIR)


class FoundRun(msgspec.Struct, frozen=True):
    """A run on disk. It is known by its folder's name, also where it was copied there from elsewhere.

    `rebuilt` is true where there was no readable `run.json`, and the card was made from the ends of the log.
    """

    folder: Path
    card: Card
    status: Status
    rebuilt: bool = False

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self.folder.parent.name

    @property
    def label(self) -> str:
        """`project/id`, which is unique."""
        return f"{self.project}/{self.id}"

    @property
    def name(self) -> str:
        """What it is called; its id where it was given no name."""
        return self.card.name or self.id

    def facts(self) -> dict[str, Any]:
        """Return the card as plain data, with what it says of id, project and status put right, and the folder."""
        told: dict[str, Any] = msgspec.to_builtins(self.card)
        known = {"id": self.id, "project": self.project, "name": self.name, "status": self.status}
        return told | known | {"folder": str(self.folder)}


def find_runs(base: Path, project: str | None = None, now: float | None = None) -> list[FoundRun]:
    """Return the runs below `base`, newest first; none where there is no such folder.

    Only `run.json` is read; of a run without a readable one, both ends of its log. A project that cannot be read is
    told and left out. Raises RunLogError where `base` cannot be read, or has no such project, with the nearest one.
    """
    try:
        projects = {path.name: path for path in _folders(base)}
    except OSError as error:
        raise RunLogError(f"{base}: cannot be read ({error.strerror or error})") from error
    if project is not None and project not in projects:
        raise RunLogError(f"{base}: {unknown('project', project, projects)}")
    now = time.time() if now is None else now
    found: list[FoundRun] = []
    for folder in [projects[project]] if project is not None else projects.values():
        try:
            found += [run for path in _folders(folder) if (run := open_found(path, now)) is not None]
        except OSError as error:
            faults.log.warning("flexlogger: %s cannot be read (%s); it is left out", folder, error.strerror or error)
    return sorted(found, key=lambda run: (-run.card.start, run.label))


def open_found(folder: Path, now: float) -> FoundRun | None:
    """Return the run in `folder`; None where there is none."""
    card = read_card(folder)
    rebuilt = card is None
    if card is None:
        card = rebuild_card(folder)
    return FoundRun(folder, card, status_of(card, now), rebuilt) if card is not None else None


def find_run(spec: str | os.PathLike[str], base: Path, now: float | None = None) -> FoundRun:
    """Return the run that `spec` names: a folder, an id, `project/id`, a name, the start of an id, or `latest`.

    Raises RunLogError where it names none, with the nearest, or several, with all of them.
    """
    now = time.time() if now is None else now
    path = Path(spec)
    if path.is_dir() and (here := open_found(path.resolve(), now)) is not None:
        return here
    runs = find_runs(base, now=now)
    wanted = str(spec)
    if wanted == LATEST and runs and not any(run.id == wanted for run in runs):
        return runs[0]
    for found in _readings(wanted, runs):
        if len(found) == 1:
            return found[0]
        if found:
            raise RunLogError(f"run {wanted!r} may be {_listed(run.label for run in found)}; say which as PROJECT/ID")
    raise RunLogError(_nothing(wanted, runs, base))


def _readings(wanted: str, runs: list[FoundRun]) -> Iterator[list[FoundRun]]:
    """What a spec may mean, the likeliest first."""
    yield [run for run in runs if wanted in (run.id, run.label)]
    yield [run for run in runs if run.name == wanted]
    yield [run for run in runs if run.id.startswith(wanted) or run.label.startswith(wanted)]


def _nothing(wanted: str, runs: list[FoundRun], base: Path) -> str:
    if not runs:
        return f"no run {wanted!r}: there are no runs in {base.absolute()}; name another folder with --dir"
    names = {name: run.label for run in runs for name in (run.label, run.name, run.id)}
    close = nearest(wanted, names)
    if close is not None:
        return f"no run {wanted!r} in {base}; did you mean {names[close]!r}?"
    return f"no run {wanted!r} in {base}; there are {_listed(run.label for run in runs)}"


def _listed(labels: Iterable[str]) -> str:
    all_of_them = list(labels)
    more = len(all_of_them) - _SHOWN
    return ", ".join(all_of_them[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _folders(base: Path) -> list[Path]:
    """The folders in `base` that may be a project or a run. Raises OSError."""
    try:
        with os.scandir(base) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    return [base / name for name in names if not name.startswith(".") and name not in _NOT_RUNS]
