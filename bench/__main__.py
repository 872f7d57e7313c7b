"""The command: runs benchmarks, prints their tables, writes the page."""

from __future__ import annotations

import argparse
import time
from functools import partial
from importlib import import_module

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from bench import peers, report, results
from bench.driver import ROOT
from bench.results import Result, Table
from bench.session import Session

BENCHES = (
    "hot_path",
    "growth",
    "many_windows",
    "training_step",
    "model_statistics",
    "run_log",
    "pipes",
    "inspector",
    "imports",
    "accelerator",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="under two minutes in all: fewer contenders, sizes and rounds"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=BENCHES, default=BENCHES, help=", ".join(BENCHES))
    arguments = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print("making sure of the peers' environment, .venv-bench (minutes when it is new) …")
    peers.python()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        whole = progress.add_task("", total=len(arguments.only))
        for name in arguments.only:
            where, started = report.machine(), time.monotonic()
            with Session(arguments.quick, partial(_tell, progress, whole, name)) as session:
                session.tell("begins")
                result = import_module(f"bench.{name}").run(session)
            result.machine, result.seconds = where, time.monotonic() - started
            result.save()
            _show(console, result, session.problems)
            progress.advance(whole)
    found = [result for name in BENCHES if (result := results.load(name)) is not None]
    report.write(found)
    console.print(f"wrote {report.PAGE.relative_to(ROOT)} and docs/img/bench-*.png")


def _tell(progress: Progress, task: TaskID, name: str, text: str) -> None:
    progress.update(task, description=f"{name}: {text}")


def _show(console: Console, result: Result, problems: list[str]) -> None:
    console.rule(f"{result.heading} ({result.seconds:.0f} s)")
    for table in result.tables:
        console.print(_rich(table))
    rows = [[t.what, t.to_reach, t.measured, report.verdict(t).strip("*")] for t in result.targets]
    console.print(_rich(Table("Targets", ["what", "to reach", "measured", "reached"], rows)))
    for problem in problems:
        console.print(f"[red]not measured:[/] {problem}")


def _rich(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", caption=table.note, caption_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*row)
    return shown


if __name__ == "__main__":
    main()
