"""The table that `TooledModel.table` prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flexlogger.model.names import HISTOGRAM
from flexlogger.model.snapshot import Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

MISSING = "–"
FROZEN = "frozen"


def print_table(table: Table, stats: Mapping[str, Sequence[str]], frozen: frozenset[str] = frozenset()) -> None:
    """Print a table of statistics by layer: with rich in a terminal, as plain text elsewhere."""
    if sys.stdout.isatty():
        _print_rich(table, stats, frozen)
    else:
        print(plain_table(table, stats, frozen))


def plain_table(table: Table, stats: Mapping[str, Sequence[str]], frozen: frozenset[str] = frozenset()) -> str:
    """The table as text: a block of columns per source, `–` for what does not exist.

    >>> print(plain_table({"0": {"weights": {"mean": 0.1318, "std": 0.5}}, "1": {}}, {"weights": ["mean", "std"]}))
    +--------+------------------+
    |        |     Weights      |
    | Layers |   mean     std   |
    +--------+------------------+
    | 0      |  0.1318   0.5000 |
    | 1      |       –        – |
    +--------+------------------+
    """
    columns = _columns(stats)
    names = max([len("Layers"), *map(len, table)])
    cells = {row: _cells(table[row], columns, row in frozen) for row in table}
    widths = {
        (source, name): max([8, len(name) + 1, *(len(cells[row][source, name]) for row in table)])
        for source, names_ in columns.items()
        for name in names_
    }
    for source, names_ in columns.items():  # a title needs room, too
        short = len(source) + 2 - sum(widths[source, name] + 1 for name in names_)
        widths[source, names_[0]] += max(0, short)
    blocks = {source: sum(widths[source, name] + 1 for name in names_) for source, names_ in columns.items()}
    rule = "+".join(["", "-" * (names + 2), *("-" * block for block in blocks.values()), ""])
    titles = "|".join(["", " " * (names + 2), *(source.capitalize().center(n) for source, n in blocks.items()), ""])
    heads = ["".join(name.center(widths[source, name] + 1) for name in names_) for source, names_ in columns.items()]
    lines = [rule, titles, "|".join(["", f" {'Layers':<{names}} ", *heads, ""]), rule]
    for row in table:
        parts = [
            "".join(cells[row][source, name].rjust(widths[source, name]) + " " for name in names_)
            for source, names_ in columns.items()
        ]
        lines.append("|".join(["", f" {row:<{names}} ", *parts, ""]))
    return "\n".join([*lines, rule])


def _columns(stats: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Statistics by source, sources in alphabetical order."""
    columns = {source: [name for name in stats[source] if name != HISTOGRAM] for source in sorted(stats)}
    return {source: names for source, names in columns.items() if names}


def _cells(
    sources: Mapping[str, Mapping[str, float]], columns: Mapping[str, Sequence[str]], frozen: bool
) -> dict[tuple[str, str], str]:
    cells = {}
    for source, names in columns.items():
        values = sources.get(source, {})
        missing = FROZEN if source == "grads" and frozen else MISSING
        for name in names:
            cells[source, name] = number(values[name]) if name in values else missing
    return cells


def number(value: float) -> str:
    """At most eight characters: four decimals where these say enough.

    >>> number(0.13178), number(-1234.5), number(0.0), number(-1.5e-7), number(float("nan"))
    ('0.1318', '-1234.50', '0.0000', '-1.5e-07', 'nan')
    """
    size = abs(value)
    if size == 0 or 1e-3 <= size < 100 or value != value:
        return f"{value:.4f}"
    return f"{value:.2f}" if 100 <= size < 1e4 else f"{value:.1e}"


def _print_rich(table: Table, stats: Mapping[str, Sequence[str]], frozen: frozenset[str]) -> None:
    """As many sources beside each other as the terminal has room for, the others below."""
    from rich.console import Console

    console = Console()
    unbounded = console.options.update(width=10_000)
    beside: dict[str, list[str]] = {}
    parts = [beside]
    for source, names in _columns(stats).items():
        more = _rich(table, {**beside, source: names}, frozen)
        if beside and console.measure(more, options=unbounded).maximum > console.width:
            beside = {}
            parts.append(beside)
        beside[source] = names
    for part in parts:
        shown = _rich(table, part, frozen)
        needed = console.measure(shown, options=unbounded).maximum
        Console(width=max(console.width, needed)).print(shown)


def _rich(table: Table, columns: Mapping[str, Sequence[str]], frozen: frozenset[str]) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=box.SIMPLE_HEAD, header_style="bold")
    shown.add_column("Layers", style="bold", no_wrap=True)
    for source, names in columns.items():
        for at, name in enumerate(names):
            title = source.capitalize() if at == 0 else ""
            shown.add_column(f"{title}\n{name}", justify="right", no_wrap=True)
    for row in table:
        cells = _cells(table[row], columns, row in frozen).values()
        shown.add_row(row, *(Text(cell, style=_style(cell)) for cell in cells))
    return shown


def _style(cell: str) -> str:
    if cell in (MISSING, FROZEN):
        return "dim"
    return "bold red" if cell in ("nan", "inf", "-inf") else ""
