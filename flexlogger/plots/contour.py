"""A matrix as lines of equal height."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.style import empty, figure, layout, numbers
from flexlogger.plots.surface import COLORBAR, ends
from flexlogger.plots.window import Window
from flexlogger.records import Panel


class ContourPlot:
    """The latest matrix of the first meter that has one, coloured between its lines."""

    def draw(self, window: Window) -> Panel:
        """Draw the lines, rows along y and columns along x, so that row 0 is at the bottom as in `surface`."""
        matrices = window.values("matrix")
        look = layout(window)
        if not matrices:
            return figure(window, [], empty(look))
        heights = np.asarray(matrices[0][2].value, np.float64)
        low, high = ends(window, heights)
        for which in ("xaxis", "yaxis"):
            look[which] |= {"showgrid": False, "constrain": "domain"}
        lines: dict[str, Any] = {
            "type": "contour",
            "z": numbers(heights),
            "zmin": low,
            "zmax": high,
            "colorscale": window.plot.opts.get("colormap", "Viridis"),
            "colorbar": COLORBAR,
            "line": {"width": 0.7},
            "hovertemplate": "row %{y}<br>column %{x}<br>%{z:.6g}<extra></extra>",
        }
        return figure(window, [lines], look)
