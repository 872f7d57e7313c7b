"""`flexlogger runs list`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from flexlogger.cli.common import JsonFlag
from flexlogger.cli.listing import as_json
from flexlogger.cli.runs.options import DirOption
from flexlogger.cli.runs.table import cell, print_table, when
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.runs.find import base_dir, find_runs
from flexlogger.runs.query import check, keys, known_key, lookup, order, parse

STATUSES = ("running", "finished", "crashed")
_FIXED = ("project", "id", "name", "status", "start", "end", "last_step", "tags", "notes", "folder")
MORE_COLUMNS = 4  # of config and of summary that are shown without being asked for

Facts = dict[str, Any]


def list_runs(
    project: Annotated[str | None, typer.Option(help="Only runs of this project.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this tag; repeatable.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only runs with e.g. 'config.lr<1e-3'; = != < <= > >= and ~ for a glob; repeatable."),
    ] = None,
    status: Annotated[str | None, typer.Option(help="Only runs that are running, finished or crashed.")] = None,
    sort: Annotated[
        str, typer.Option(metavar="KEY", help="Order by e.g. summary.acc; -KEY turns it round.")
    ] = "-start",
    limit: Annotated[int | None, typer.Option(help="At most this many.", min=1)] = None,
    json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with everything that was configured.")] = False,
    dir: DirOption = None,
) -> None:
    """List the runs, the newest first; several filters must all hold.

    A key is config.NAME or summary.NAME, or what a run has besides: id, name, project, status, start, last_step,
    git.commit and so on, as `flexlogger runs show RUN --json` prints it.
    """
    if status is not None and status not in STATUSES:
        raise UnknownNameError(unknown("status", status, STATUSES))
    if json and as_csv:
        raise ValueRefusedError("runs list: expected --json or --csv, got both")
    asked = [*(where or ()), *(f"tags={each}" for each in tag or ()), *([f"status={status}"] if status else [])]
    facts = selected([run.facts() for run in find_runs(base_dir(dir), project)], asked, sort)[:limit]
    if json:
        print(as_json(facts))
    elif as_csv:
        _print_csv(facts)
    elif facts:
        _print(facts, [filter.path for filter in map(parse, where or ())] + [sort.removeprefix("-")])
    else:
        print(f"no {'such ' if asked else ''}runs in {base_dir(dir)}", file=sys.stderr)


def selected(facts: Sequence[Facts], where: Sequence[str], sort: str) -> list[Facts]:
    """Return the runs that pass all filters, in the order of a key. Raises where a filter or the key is none."""
    filters = [parse(text) for text in where]
    check(filters, facts)
    known_key(sort.removeprefix("-"), facts, f"sort {sort!r}")
    passed = [each for each in facts if all(filter.matches(each) for filter in filters)]
    return [passed[place] for place in order(passed, sort)]


def _print(facts: Sequence[Facts], asked: Sequence[str]) -> None:
    """On a terminal also what tells the runs apart; in a pipe only what was asked for, so that columns stay."""
    asked = [key for key in dict.fromkeys(asked) if key not in ("start", "last_step", "tags", "status")]
    more = [key for key in _telling(facts) if key not in asked] if sys.stdout.isatty() else []
    rows = [
        [
            f"{each['project']}/{each['id']}",
            each["name"] if each["name"] != each["id"] else None,
            each["status"],
            when(each["start"]),
            each["last_step"],
            each["tags"],
            *(lookup(each, key) for key in (*asked, *more)),
        ]
        for each in facts
    ]
    heads = ["run", "name", "status", "started", "step", "tags", *_short([*asked, *more])]
    print_table(heads, rows, optional=len(more))


def _short(columns: Sequence[str]) -> list[str]:
    """Keys as heads of columns: without the part they are of, where no two are the same then."""
    short = [key.removeprefix("config.").removeprefix("summary.") for key in columns]
    return [name if short.count(name) == 1 else key for name, key in zip(short, columns, strict=True)]


def _telling(facts: Sequence[Facts]) -> list[str]:
    """The settings in which the runs differ, and what they came to: the first few of each."""
    settings = [key for key in _columns(facts, "config") if len({cell(lookup(each, key)) for each in facts}) > 1]
    return settings[:MORE_COLUMNS] + _columns(facts, "summary")[:MORE_COLUMNS]


def _columns(facts: Sequence[Facts], part: str) -> list[str]:
    return list(dict.fromkeys(key for each in facts for key in keys(each[part], f"{part}.")))


def _print_csv(facts: Sequence[Facts]) -> None:
    columns = [*_columns(facts, "config"), *_columns(facts, "summary")]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*_FIXED, *columns])
    for each in facts:
        told = each | {"start": _iso(each["start"]), "end": _iso(each["end"])}
        writer.writerow([_plain(lookup(told, key)) for key in (*_FIXED, *columns)])


def _iso(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def _plain(value: Any) -> Any:
    """Numbers in full, the rest as in the table."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else cell(value)
