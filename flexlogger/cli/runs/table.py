"""Values of runs as people read them, and tables of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flexlogger.runs.query import MISSING

_GAP = 2
STYLES = {"running": "green", "crashed": "red"}
"""How a run's status is coloured."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], optional: int = 0) -> None:
    """Print a table: on a terminal with a head, numbers to the right; in a pipe one row a line, tabs between.

    On a terminal, columns without values are left out, and of the last `optional` ones those that do not fit.
    """
    texts = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in texts:
            print("\t".join(text.replace("\t", " ").replace("\n", " ") for text in line))
        return
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    shown = _fitting(columns, texts, optional, console.width)
    for index in shown:
        right = any(_is_number(row[index]) for row in rows)
        table.add_column(Text(columns[index]), overflow="fold", justify="right" if right else "left")
    for line in texts:
        table.add_row(*(Text(line[index], STYLES.get(line[index], "")) for index in shown))
    console.print(table)


def _fitting(columns: Sequence[str], texts: Sequence[Sequence[str]], optional: int, width: int) -> list[int]:
    """The columns to show: those with values, as many of the optional ones as there is room for."""
    shown = []
    for index, column in enumerate(columns):
        longest = max((len(line[index]) for line in texts), default=0)
        width -= max(longest, len(column)) + _GAP
        if longest and (index < len(columns) - optional or width >= 0):
            shown.append(index)
    return shown


def cell(value: Any) -> str:
    """Write a value in a line: numbers short, nothing for what is missing, anything else as JSON.

    >>> [cell(value) for value in (0.123456789, 12, None, True, "adam", ["a", "b"], {"k": 1})]
    ['0.12346', '12', '', 'true', 'adam', 'a b', '{"k":1}']
    """
    if value is None or value is MISSING:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return " ".join(value)
    return msgspec.json.encode(value).decode()


def when(seconds: float | None) -> str | None:
    """Write a unix time as date and time of day here."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def size(count: int) -> str:
    """Write a number of bytes.

    >>> size(999), size(12_345), size(3_000_000_000)
    ('999 bytes', '12.3 kB', '3.0 GB')
    """
    if count < 1000:
        return f"{count} bytes"
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.1f} {' kMGT'[power]}B"


def span(seconds: float) -> str:
    """Write a length of time.

    >>> span(3.21), span(75), span(7_200), span(200_000)
    ('3.2 s', '1 min 15 s', '2 h 0 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{days} d {hours % 24} h"
