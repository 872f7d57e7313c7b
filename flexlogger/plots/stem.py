"""Stems from zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from flexlogger.plots.bar import ticks
from flexlogger.plots.entries import entries
from flexlogger.plots.style import empty, figure, layout, literal, numbers
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel


class StemPlot:
    """The latest values: a stem from zero with a point at its end for each entry of a vector, or each x of a curve."""

    def draw(self, window: Window) -> Panel:
        """Draw the stems of all meters, one colour each."""
        opts = window.plot.opts
        legend = dict(enumerate(opts.get("legend", ())))
        found = list(_values(window))
        data = [
            _stems(literal(legend.get(index, name)), x, y, color) for index, (name, color, x, y) in enumerate(found)
        ]
        look = layout(window) | {"hovermode": "closest"}
        look["xaxis"]["showgrid"] = False
        look["yaxis"] |= {"zeroline": True, "zerolinecolor": look["yaxis"]["linecolor"]}
        if opts.get("labels") and found:
            look["xaxis"] |= ticks(opts["labels"], max(len(x) for _, _, x, _ in found))
        return figure(window, data, look if data else empty(look))


def _values(window: Window) -> Iterator[tuple[str, str, Array, Array]]:
    """Name, colour, places and heights of each meter's stems."""
    for row in entries(window):
        yield row.name, row.feed.color, np.arange(len(row.parts)), np.asarray(row.values, np.float64)
    for name, feed, latest in window.values("curve"):
        x, y = np.asarray(latest.value, np.float64)
        yield name, feed.color, x, y


def _stems(name: str, x: Array, y: Array, color: str) -> dict[str, Any]:
    gap = np.full(len(x), np.nan)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": numbers(np.column_stack([x, x, gap]).ravel()),
        "y": numbers(np.column_stack([np.zeros(len(y)), y, gap]).ravel()),
        "line": {"color": color, "width": 1.5},
        "marker": {"color": color, "size": [0, 7, 0] * len(x), "line": {"width": 0}},
        "hovertemplate": "%{x}: %{y:.6g}",
    }
