"""Values that travel as text or as one picture: strings, files, tables, plotly's and matplotlib's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from flexlogger.meters.base import Payload
from flexlogger.meters.files import file
from flexlogger.records import Kind


def document(value: Any, kind: Kind) -> Payload | None:
    """Return a text, file, table, figure or rendered picture as it travels, or None if the value is none of these.

    Everything is read now: whatever changes the value later does not change the payload.

    >>> document([{"word": "cat", "n": 2}, {"word": "dog"}], "any").value
    '{"columns": ["word", "n"], "rows": [["cat", 2], ["dog", null]]}'
    """
    if kind in ("any", "text") and isinstance(value, str):
        return Payload("text", value)
    if (found := file(value, kind)) is not None:
        return found
    if kind in ("any", "image", "images") and _is_matplotlib(value):
        picture = rendered(value)
        return Payload("images", picture[None]) if kind == "images" else Payload("image", picture)
    if kind in ("any", "figure"):
        figure = _figure(value)
        if figure is not None:
            return Payload("figure", figure)
    if kind in ("any", "table"):
        table = _table(value, certain=kind == "table")
        if table is not None:
            return Payload("table", json.dumps({"columns": table[0], "rows": table[1]}, default=_cell))
    return None


# ---- figures


def _is_matplotlib(value: Any) -> bool:
    return hasattr(value, "savefig") and hasattr(value, "canvas") and hasattr(value, "set_canvas")


def rendered(figure: Any) -> np.ndarray[Any, Any]:
    """Draw a matplotlib figure as (H, W, 4) uint8, whatever backend it was made for; no window is opened."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before = figure.canvas
    try:
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return np.array(canvas.buffer_rgba(), np.uint8)
    finally:
        figure.set_canvas(before)


def _figure(value: Any) -> str | None:
    """Return the JSON of a plotly figure or of a mapping with its data and layout."""
    if hasattr(value, "to_plotly_json") and hasattr(value, "to_json"):
        return str(value.to_json())
    if isinstance(value, Mapping) and "data" in value and set(value) <= {"data", "layout", "frames", "config"}:
        figure = {"data": value["data"], "layout": value.get("layout") or {}}
        if isinstance(figure["data"], list | tuple) and all(isinstance(trace, Mapping) for trace in figure["data"]):
            return json.dumps(figure, default=_cell)
    return None


# ---- tables


def _table(value: Any, certain: bool) -> tuple[list[Any], list[list[Any]]] | None:
    """Return columns and rows, or None; arrays as columns make a table only where one is `certain` to be meant."""
    if hasattr(value, "to_dict") and hasattr(value, "columns") and hasattr(value, "itertuples"):
        return [str(c) for c in value.columns], [list(row) for row in value.itertuples(index=False)]
    if isinstance(value, Mapping) and set(value) == {"columns", "rows"}:
        return [str(c) for c in value["columns"]], [_row(row, value["columns"]) for row in value["rows"]]
    if isinstance(value, Mapping) and value and all(_is_column(column, certain) for column in value.values()):
        lists = [_listed(column) for column in value.values()]
        if len({len(column) for column in lists}) == 1:
            return [str(key) for key in value], [list(row) for row in zip(*lists, strict=True)]
    if isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
        columns = list(dict.fromkeys(key for row in value for key in row))
        return [str(c) for c in columns], [[row.get(c) for c in columns] for row in value]
    return None


def _row(row: Any, columns: Any) -> list[Any]:
    return [row.get(column) for column in columns] if isinstance(row, Mapping) else _listed(row)


def _is_column(column: Any, certain: bool) -> bool:
    return isinstance(column, list | tuple) or (certain and getattr(column, "ndim", 0) == 1)


def _listed(column: Any) -> list[Any]:
    return column.tolist() if isinstance(column, torch.Tensor | np.ndarray) else list(column)


def _cell(value: Any) -> Any:
    """Say in JSON what JSON does not know: arrays, tensors and numpy's numbers as numbers, the rest as text."""
    return value.tolist() if isinstance(value, torch.Tensor | np.ndarray | np.generic) else str(value)
