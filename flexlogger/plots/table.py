"""Rows and columns."""

from __future__ import annotations

import html
from typing import Any

from flexlogger.plots.style import EDGE, INK, compact
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
    return list(table.get("columns", [])), [row if isinstance(row, list) else [row] for row in table.get("rows", [])]


def _table(columns: list[Any], rows: list[list[Any]], raw: bool) -> str:
    heads = "".join(
        f'<th style="{_HEAD};text-align:{_side(rows, index)}">{_cell(column, raw)}</th>'
        for index, column in enumerate(columns)
    )
    body = "".join("<tr>" + "".join(_data_cell(cell, raw) for cell in row) + "</tr>" for row in rows[:ROWS])
    more = f"<div>first {ROWS:,} of {len(rows):,} rows</div>" if len(rows) > ROWS else ""
    return f'<table style="{_TABLE}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}'


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _side(rows: list[list[Any]], index: int) -> str:
    return "right" if rows and index < len(rows[0]) and _is_number(rows[0][index]) else "left"


def _data_cell(cell: Any, raw: bool) -> str:
    return f'<td style="{_CELL};text-align:{"right" if _is_number(cell) else "left"}">{_cell(cell, raw)}</td>'


def _cell(cell: Any, raw: bool) -> str:
    """Write a cell: numbers short, nothing for null, text escaped."""
    if cell is None:
        return ""
    if _is_number(cell):
        return compact(cell) if cell == cell and abs(cell) != float("inf") else str(cell)
    return str(cell) if raw else html.escape(str(cell))
