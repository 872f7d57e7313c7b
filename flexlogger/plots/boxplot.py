"""Boxes that show how values are spread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from flexlogger.plots.entries import entries
from flexlogger.plots.style import PALETTE, empty, figure, layout, literal, numbers
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel

MOST = 2001
"""Values of a box that are sent; of more, as many quantiles, which have the same box, whiskers and extremes."""


class BoxplotPlot:
    """The latest values: a box from quartile to quartile with the median in it, whiskers up to 1.5 times its height,
    and a point for each value outside; a dotted line at the mean."""

    def draw(self, window: Window) -> Panel:
        """Draw a box for each meter with a vector, and for each column of each meter with a matrix."""
        legend = dict(enumerate(window.plot.opts.get("legend", ())))
        data = [
            _box(literal(legend.get(index, name)), values, color)
            for index, (name, values, color) in enumerate(_boxes(window))
        ]
        look = layout(window) | {"boxgap": 0.4}
        look["xaxis"] |= {"showgrid": False, "type": "category"}
        panel = figure(window, data, look if data else empty(look))
        panel.layout["showlegend"] = bool(window.plot.opts.get("showlegend", False))  # names stand below the boxes
        return panel


def _boxes(window: Window) -> Iterator[tuple[str, Array, str]]:
    matrices = window.values("matrix")
    for name, feed, latest in matrices:
        columns = np.asarray(latest.value, np.float64).T
        labels = feed.meter.labels if len(feed.meter.labels) == len(columns) else range(len(columns))
        before = f"{name}." if len(matrices) > 1 else "" if feed.meter.labels else "column "
        for index, (label, values) in enumerate(zip(labels, columns, strict=True)):
            yield f"{before}{label}", values, PALETTE[index % len(PALETTE)]
    for row in entries(window):
        yield row.name, np.asarray(row.values, np.float64), row.feed.color


def _box(name: str, values: Array, color: str) -> dict[str, Any]:
    return {
        "type": "box",
        "name": name,
        "y": numbers(spread(values)),
        "boxmean": True,
        "boxpoints": "outliers",
        "marker": {"color": color, "size": 4},
        "line": {"width": 1.5},
    }


def spread(values: Array) -> Array:
    """Return the finite values, or of very many their quantiles at even distances.

    >>> spread(np.array([3.0, np.nan, 1.0])).tolist(), len(spread(np.arange(1e6)))
    ([3.0, 1.0], 2001)
    """
    finite: Array = values[np.isfinite(values)]
    return np.quantile(finite, np.linspace(0, 1, MOST)) if len(finite) > MOST else finite
