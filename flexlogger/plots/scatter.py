"""Points in the plane, coloured by class."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.style import PALETTE, empty, figure, layout, literal, numbers, rgba
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel


class ScatterPlot:
    """The latest points of each meter. With a third column, the class index, there is one colour per class."""

    def draw(self, window: Window) -> Panel:
        """Draw the points of all meters; a point that is not finite is left out."""
        clouds = window.values("points")
        data: list[dict[str, Any]] = []
        for name, feed, latest in clouds:
            assert isinstance(latest.value, np.ndarray)
            points = latest.value[np.isfinite(latest.value).all(axis=1)].astype(np.float64)
            if points.shape[1] == 2:
                data.append(_cloud(window, name, points, feed.color))
            else:
                prefix = f"{name}." if len(clouds) > 1 else ""
                data += [_cloud(window, prefix + n, p, c) for n, p, c in _classes(window, feed, points)]
        look = layout(window) | {"hovermode": "closest"}
        return figure(window, data, look if data else empty(look))


def _classes(window: Window, feed: Feed, points: Array) -> list[tuple[str, Array, str]]:
    names = window.plot.opts.get("legend") or feed.meter.labels
    found = []
    for value in np.unique(points[:, 2]).astype(int).tolist():
        name = str(names[value]) if 0 <= value < len(names) else str(value)
        found.append((name, points[points[:, 2].astype(int) == value], PALETTE[value % len(PALETTE)]))
    return found


def _cloud(window: Window, name: str, points: Array, color: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": literal(name),
        "x": numbers(points[:, 0]),
        "y": numbers(points[:, 1]),
        "marker": {
            "color": rgba(color, 0.75),
            "size": window.plot.opts.get("markersize", 7),
            "line": {"color": "#ffffff", "width": 0.5},
        },
    }
