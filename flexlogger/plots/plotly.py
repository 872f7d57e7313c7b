"""Any figure of plotly's."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from flexlogger.plots.style import FONT, empty, figure, layout, numbers
from flexlogger.plots.text import mapping
from flexlogger.plots.window import Window
from flexlogger.records import Panel


class PlotlyPlot:
    """The latest figure of the first meter that has one, as it is but for numbers that JSON cannot say."""

    def draw(self, window: Window) -> Panel:
        """Draw the figure; the window's `layout` option is merged into its layout."""
        figures = window.values("figure")
        if not figures:
            return figure(window, [], empty(layout(window)))
        parsed = plain(mapping(figures[0][2], "a plotly figure: {data, layout}"))
        data = [{"type": "scatter"} | trace for trace in parsed.get("data", [])]
        look = {"margin": {"l": 50, "r": 20, "t": 30, "b": 40}, "font": {"family": FONT}} | parsed.get("layout", {})
        shown = {"showlegend": look["showlegend"]} if "showlegend" in look else {}
        panel = figure(window, data, look)
        if "showlegend" not in window.plot.opts:
            panel.layout.update(shown)
        return panel


def plain(node: Any) -> Any:
    """Return JSON that any plotly.js reads: non-finite numbers become None, packed arrays are unpacked.

    Plotly for Python packs arrays as base64 since 6.0; the dashboard's plotly.js is older than that.

    >>> plain({"y": {"dtype": "f8", "bdata": "AAAAAAAA8D8AAAAAAAD4Pw=="}, "z": [float("nan"), 1]})
    {'y': [1.0, 1.5], 'z': [None, 1]}
    """
    if isinstance(node, dict):
        if "bdata" in node and "dtype" in node:
            return unpacked(node)
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    if isinstance(node, float) and not np.isfinite(node):
        return None
    return node


def unpacked(packed: dict[str, Any]) -> list[Any]:
    """Return the numbers of one packed array, in its shape ('2, 3') where it has one."""
    array = np.frombuffer(base64.b64decode(packed["bdata"]), np.dtype(packed["dtype"]).newbyteorder("<"))
    shape = [int(part) for part in str(packed.get("shape", "")).split(",") if part.strip()]
    return numbers(array.reshape(shape) if shape else array)
