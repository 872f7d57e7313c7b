"""What a run is called and where it lies."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import msgspec

from flexlogger.config.model import Dashboard
from flexlogger.config.names import name_refusal
from flexlogger.errors import RunLogError, ValueRefusedError
from flexlogger.ranks import Rank, agree_on
from flexlogger.records import Step
from flexlogger.runs.find import base_dir
from flexlogger.runs.segment import segments

DEFAULT_PROJECT = "default"

Resume = Literal["never", "allow", "must"]


class Identity(msgspec.Struct, frozen=True):
    """A run as it is named: `id` is its folder, unique in its project; `name` is for people, and may be any text."""

    id: str
    name: str
    project: str
    folder: Path
    env: str
    uid: str
    tags: tuple[str, ...] = ()
    notes: str = ""
    resume_step: Step | None = None
    ranks: Literal["first", "all"] = "first"

    def as_info(self) -> dict[str, Any]:
        """As plain data, for the log."""
        unsaid = {"folder"} | ({"resume_step"} if self.resume_step is None else set())
        unsaid |= {"ranks"} if self.ranks == "first" else set()
        info = {key: value for key, value in msgspec.structs.asdict(self).items() if key not in unsaid}
        return info | {"tags": list(self.tags)}


def identify(dashboard: Dashboard, where: Rank, name: str | None, tags: Sequence[str], notes: str) -> Identity:
    """Name the run of a dashboard; all ranks of one training name it alike. What is given here adds to the dashboard.

    Raises RunLogError where the ranks cannot agree, ValueRefusedError for a FLEXLOGGER_RUN that cannot be.
    """
    run_id = dashboard.run or _id_from_environment() or agree_on(new_run_id, where)
    project = dashboard.project or DEFAULT_PROJECT
    env = dashboard.env or run_id
    return Identity(
        run_id,
        name or dashboard.name or run_id,
        project,
        base_dir(dashboard.dir).absolute() / project / run_id,
        env,
        dashboard.uid or env,
        tuple(dict.fromkeys((*dashboard.tags, *tags))),
        notes or dashboard.notes,
        dashboard.resume_step,
        "all" if dashboard.ranks == "all" and where.world > 1 else "first",
    )


def new_run_id(now: float | None = None) -> str:
    """A run's id where none is given: date, time and four random letters, so that ids sort by time.

    >>> new_run_id(0.0)[:8]
    '19700101'
    """
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + "-" + secrets.token_hex(2)


def _id_from_environment() -> str | None:
    run_id = os.environ.get("FLEXLOGGER_RUN", "").strip()
    refusal = name_refusal(run_id) if run_id else None
    if refusal:
        raise ValueRefusedError(f"FLEXLOGGER_RUN: {refusal}")
    return run_id or None


def check_resume(identity: Identity, resume: Resume | None) -> None:
    """Refuse a run that is there already, or that is not, where `resume` says so. Raises RunLogError."""
    known = identity.folder.is_dir() and bool(segments(identity.folder))
    if resume == "never" and known:
        raise RunLogError(
            f"run {identity.id!r} exists in {identity.folder.parent}, and resume='never' asks for a new one; "
            "choose another id, or say resume='allow' to continue it"
        )
    if resume == "must" and not known:
        raise RunLogError(
            f"there is no run {identity.id!r} in {identity.folder.parent}, and resume='must' asks for one; "
            "check project and dir, or say resume='allow' to begin it"
        )


def check_writable(folder: Path) -> None:
    """Refuse before training what would fail at the first record: a folder that cannot be made or written."""
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        TemporaryFile(dir=parent).close()  # root may write anywhere, but no system takes every file
    except OSError as error:
        what = "is not a folder" if not parent.is_dir() else f"cannot be written ({error.strerror or error})"
        raise RunLogError(
            f"the run log cannot be kept in {folder}: {parent} {what}; name another place with dir or "
            "FLEXLOGGER_DIR, or say runlog: off"
        ) from error
