"""Rows and columns."""

from __future__ import annotations

from typing import Any

from flexlogger.plots.cells import is_number, read, shown
from flexlogger.plots.style import EDGE, INK
from flexlogger.plots.text import mapping, page
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_HEAD = (
    f"position:sticky;top:-8px;background:#f3f5f8;padding:4px 12px;border-bottom:1px solid {EDGE};"
    f"font-weight:600;color:{INK};white-space:nowrap"
)
_CELL = "padding:3px 12px;border-bottom:1px solid #eef0f4;font-weight:400;white-space:nowrap"
ROWS = 1000
"""Rows shown; a longer table says how many there are."""
BYTES = 4 * 2**20
"""A table of pictures ends with the row that goes past this."""


class TablePlot:
    """The latest table of each meter; without any, the scalar meters' latest numbers."""

    def draw(self, window: Window) -> Panel:
        """Draw the tables, header kept in sight, numbers to the right."""
        tables = [_parsed(latest) for _, _, latest in window.values("table")]
        scalars = window.values("scalar")
        if not tables and scalars:
            rows = [[name, latest.value, latest.step] for name, _, latest in scalars]
            tables = [(["meter", "value", "step"], rows)]
        raw = bool(window.plot.opts.get("html", False))
        return page(window, "".join(_table(columns, rows, raw) for columns, rows in tables))


def _parsed(latest: Latest) -> tuple[list[Any], list[list[Any]]]:
    table = mapping(latest, "a table: {columns, rows}")
    rows = [row if isinstance(row, list) else [row] for row in table.get("rows", [])]
    return list(table.get("columns", [])), [[read(cell) for cell in row] for row in rows]


def _table(columns: list[Any], rows: list[list[Any]], raw: bool) -> str:
    heads = "".join(
        f'<th style="{_HEAD};text-align:{_side(rows, index)}">{shown(column, raw)}</th>'
        for index, column in enumerate(columns)
    )
    drawn, size = [], 0
    for row in rows[:ROWS]:
        drawn.append("<tr>" + "".join(_data_cell(cell, raw) for cell in row) + "</tr>")
        size += len(drawn[-1])
        if size > BYTES:
            break
    more = f"<div>first {len(drawn):,} of {len(rows):,} rows</div>" if len(drawn) < len(rows) else ""
    return f'<table style="{_TABLE}"><thead><tr>{heads}</tr></thead><tbody>{"".join(drawn)}</tbody></table>{more}'


def _side(rows: list[list[Any]], index: int) -> str:
    """Return the side of a column: that of its first cell that holds anything."""
    cells = (row[index] for row in rows[:ROWS] if index < len(row) and row[index] is not None)
    return "right" if is_number(next(cells, None)) else "left"


def _data_cell(cell: Any, raw: bool) -> str:
    return f'<td style="{_CELL};text-align:{"right" if is_number(cell) else "left"}">{shown(cell, raw)}</td>'
