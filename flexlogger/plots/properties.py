"""Names and values as a form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.cells import read
from flexlogger.plots.style import compact, size
from flexlogger.plots.text import mapping, page
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

TYPES = ("text", "number", "button", "checkbox", "select")
"""What the dashboard's page can draw; it would break at any other."""


class PropertiesPlot:
    """The latest tables with the columns `name` and `value`; where they have them, `type` (text, number, button,
    checkbox, select) and `values`, which a select chooses from by index. Below them a row for each scalar and text.

    The page lets people type into the form. What they type goes nowhere: the next value replaces it.
    """

    def draw(self, window: Window) -> Panel:
        """Draw the form."""
        rows = [row for _, _, latest in window.values("table") for row in _rows(latest)]
        rows += [_row(name, latest.value, None, None) for name, _, latest in window.values("scalar", "text")]
        if not rows:
            return page(window, "")
        form = {"type": "properties", "content": rows}
        return Panel(window.title, [form], {}, {"title": window.title, **size(window)})


def _rows(latest: Latest) -> Iterator[dict[str, Any]]:
    table = mapping(latest, "a table: {columns, rows}")
    columns = [str(column) for column in table.get("columns", ())]
    if "name" not in columns or "value" not in columns:
        raise ValueRefusedError(f"expected a table with the columns name and value, got {', '.join(columns) or 'none'}")
    for cells in table.get("rows", ()):
        row = dict(zip(columns, map(read, cells), strict=False))
        yield _row(row.get("name"), row.get("value"), row.get("type"), row.get("values"))


def _row(name: Any, value: Any, kind: Any, values: Any) -> dict[str, Any]:
    """Return a row as the page takes it, whatever was logged."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind not in TYPES:
        kind = "checkbox" if isinstance(value, bool) else "number" if number else "text"
    row = {"name": str(name), "type": kind}
    if kind == "checkbox":
        return row | {"value": bool(value)}
    if kind == "select":
        choices = [str(choice) for choice in values] if isinstance(values, list) and values else [str(value)]
        index = int(value) if number and 0 <= value < len(choices) else 0
        return row | {"value": index, "values": choices}
    return row | {"value": compact(value) if number else "" if value is None else str(value)}
