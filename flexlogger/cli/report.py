"""`flexlogger report`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.common import new_app
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption, RunsArgument
from flexlogger.errors import ValueRefusedError
from flexlogger.report.pictures import save_pictures
from flexlogger.report.write import write_report
from flexlogger.runs.examine import log_bytes
from flexlogger.runs.find import FoundRun, base_dir, find_run

app = new_app()


@app.command("report")
def report(
    runs: RunsArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write; of several runs the folder. Else ID.html, here."),
    ] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Also write a picture of each window into this folder.")] = (
        None
    ),
    dir: DirOption = None,
) -> None:
    """Write a run's windows, config and results to one file that any browser opens, without a server or a network."""
    found = list({run.folder: run for run in (find_run(spec, base_dir(dir)) for spec in runs)}.values())
    for run, file in zip(found, _files(found, output), strict=True):
        with progress(f"reading {run.label}", log_bytes(run.folder)) as advance:
            panes = write_report(run, file, advance, _tell)
        print(f"{run.label}: {len(panes)} windows in {file}")
        if png is not None:
            folder = png if len(found) == 1 else png / file.stem
            with progress("drawing", len(panes)) as advance:
                pictures = save_pictures(file, panes, folder, advance)
            print(f"{run.label}: {len(pictures)} pictures in {folder}")


def _files(found: Sequence[FoundRun], output: Path | None) -> list[Path]:
    """The file of each run; runs of one id in several projects are told apart."""
    if len(found) == 1:
        return [output or Path(f"{found[0].id}.html")]
    if output is not None and ((output.exists() and not output.is_dir()) or output.suffix in (".html", ".htm")):
        raise ValueRefusedError(f"-o {output}: expected a folder, since {len(found)} runs are {len(found)} reports")
    folder = output or Path()
    folder.mkdir(parents=True, exist_ok=True)
    alike = len({run.id for run in found}) < len(found)
    return [folder / f"{f'{run.project}-' if alike else ''}{run.id}.html" for run in found]


def _tell(message: str) -> None:
    print(f"flexlogger report: {message.removeprefix('flexlogger: ')}", file=sys.stderr)
