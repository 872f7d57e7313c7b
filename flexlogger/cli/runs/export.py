"""`flexlogger runs export`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from flexlogger.cli.common import JsonFlag
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption, RunsArgument
from flexlogger.errors import FlexLoggerError, ValueRefusedError
from flexlogger.runs.find import base_dir, find_run

if TYPE_CHECKING:
    from flexlogger.runs.export import Curves, Row


def export(
    runs: RunsArgument,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file, .csv or .json; else it is printed.")
    ] = None,
    names: Annotated[list[str] | None, typer.Option(help="Only names like this glob; repeatable.")] = None,
    long: Annotated[bool, typer.Option("--long", help="One row a value instead of one row a step.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, which is the default.")] = False,
    json: JsonFlag = False,
    dir: DirOption = None,
) -> None:
    """Write the scalars of runs as CSV, one row a step, or as a JSON list of rows."""
    from flexlogger.runs import export as rows  # imports numpy

    if json and as_csv:
        raise ValueRefusedError("runs export: expected --json or --csv, got both")
    curves = _curves(runs, dir)
    chosen = rows.chosen(curves, names or ())
    made = (rows.long if long else rows.wide)(curves, chosen)
    json = json or (output is not None and output.suffix == ".json" and not as_csv)
    total = sum(len(series.steps) for of_run in curves.values() for series in of_run.values())
    with _opened(output) as out, progress("writing", total) as advance:
        (rows.write_json if json else rows.write_csv)(_counted(made, len(chosen) if not long else 1, advance), out)
    if output is not None:
        print(f"wrote {output}: {', '.join(curves)}; {len(chosen)} names")


def _curves(runs: list[str], dir: Path | None) -> dict[str, Curves]:
    from flexlogger.runs.reader import RunReader

    found = [find_run(spec, base_dir(dir)) for spec in runs]
    curves: dict[str, Curves] = {}
    with progress("reading", len(found)) as advance:
        for run in found:
            reader = RunReader(run.folder)
            curves[run.label] = reader.curves()
            advance(1)
            for problem in reader.problems:
                print(f"flexlogger runs export: {problem}", file=sys.stderr)
    return curves


def _counted(rows: Iterator[Row], values: int, advance: Callable[[int], None]) -> Iterator[Row]:
    for row in rows:
        advance(values)
        yield row


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise FlexLoggerError(f"{output}: cannot write it ({error.strerror or error})") from error
