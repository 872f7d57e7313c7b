"""Points in the plane, coloured by class."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.style import PALETTE, compact, empty, figure, layout, literal, numbers, rgba
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel

CLASSES = 32
"""Classes up to which each has a colour of its own."""


class ScatterPlot:
    """The latest points of each meter. With a third column, the class index, there is one colour per class; of
    more than 32 classes, a colour scale."""

    def draw(self, window: Window) -> Panel:
        """Draw the points of all meters; a point that is not finite is left out."""
        clouds = window.values("points")
        data: list[dict[str, Any]] = []
        for name, feed, latest in clouds:
            assert isinstance(latest.value, np.ndarray)
            points = latest.value[np.isfinite(latest.value).all(axis=1)].astype(np.float64)
            classes = np.unique(points[:, 2]) if points.shape[1] == 3 else np.zeros(0)
            prefix = f"{name}." if len(clouds) > 1 else ""
            if 0 < len(classes) <= CLASSES:
                data += [_class(window, feed, prefix, points, value) for value in classes.tolist()]
            else:
                data.append(cloud(window, name, points, feed.color))
            if len(classes) > CLASSES:
                data[-1]["marker"] |= colour_scale(points[:, 2])
        look = layout(window) | {"hovermode": "closest"}
        return figure(window, data, look if data else empty(look))


def _class(window: Window, feed: Feed, prefix: str, points: Array, value: float) -> dict[str, Any]:
    names = window.plot.opts.get("legend") or feed.meter.labels
    known = value.is_integer() and 0 <= value < len(names)
    name = str(names[int(value)]) if known else compact(value)
    return cloud(window, prefix + name, points[points[:, 2] == value], PALETTE[int(value) % len(PALETTE)])


def colour_scale(values: Array) -> dict[str, Any]:
    """Return a marker's colours by a number, and the bar that tells them."""
    bar = {"thickness": 10, "outlinewidth": 0, "ticks": "", "tickfont": {"size": 10}}
    return {"color": numbers(values), "colorscale": "Viridis", "showscale": True, "colorbar": bar}


def cloud(window: Window, name: str, points: Array, color: str) -> dict[str, Any]:
    """Return points (N, 2 or more) of one colour as a trace."""
    size = window.plot.opts.get("markersize", 7)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": literal(name),
        "x": numbers(points[:, 0]),
        "y": numbers(points[:, 1]),
        "marker": {
            "color": rgba(color, 0.75),
            "size": size,
            "line": {"color": "#ffffff", "width": min(0.5, size / 20)},
        },
    }
