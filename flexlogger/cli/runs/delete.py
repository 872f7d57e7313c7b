"""`flexlogger runs delete`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.runs.options import DirOption, RunsArgument
from flexlogger.cli.runs.table import print_table, size, when
from flexlogger.errors import RunLogError
from flexlogger.runs.delete import delete_run, folder_bytes
from flexlogger.runs.find import FoundRun, base_dir, find_run


def delete(
    runs: RunsArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also runs that are still being written.")] = False,
    dir: DirOption = None,
) -> None:
    """Delete runs with all their files, after showing which and asking. Artifacts that they logged stay."""
    found = list({run.folder: run for run in (find_run(spec, base_dir(dir)) for spec in runs)}.values())
    _refuse_running([run for run in found if run.status == "running"], force)
    _show(found)
    if not yes:
        _ask(found, force, dir)
    for run in found:
        delete_run(run.folder)
    print(f"deleted {len(found)} run{'s' if len(found) != 1 else ''}")


def _refuse_running(running: Sequence[FoundRun], force: bool) -> None:
    if running and not force:
        raise RunLogError(
            f"{', '.join(run.label for run in running)}: still running, so nothing was deleted; stop it first, or add "
            "--force"
        )


def _show(found: Sequence[FoundRun]) -> None:
    rows = [[run.label, run.name, run.status, when(run.card.start), size(folder_bytes(run.folder))] for run in found]
    print_table(["run", "name", "status", "started", "size"], rows)
    for run in found:
        logged = [f"{a.get('name')}:{a.get('version')}" for a in run.card.artifacts if not a.get("use")]
        if logged:
            print(f"artifacts that {run.label} logged stay in the project: {', '.join(logged)}")


def _ask(found: Sequence[FoundRun], force: bool, dir: Path | None) -> None:
    if not sys.stdin.isatty():
        line = ["flexlogger", "runs", "delete", *(run.label for run in found), "--yes"]
        line += ["--force"] * force + (["--dir", str(dir)] if dir is not None else [])
        raise RunLogError(f"nothing was deleted: nobody can be asked here; if you mean it: {shlex.join(line)}")
    if not typer.confirm(f"delete {'it' if len(found) == 1 else f'these {len(found)} runs'} for good?"):
        print("nothing was deleted")
        raise typer.Exit(1)
