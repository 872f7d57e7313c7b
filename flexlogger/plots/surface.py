"""A matrix as heights in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.space import nowhere, space
from flexlogger.plots.style import figure, numbers
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel

COLORBAR = {"thickness": 10, "outlinewidth": 0, "ticks": "", "tickfont": {"size": 10}}


class SurfacePlot:
    """The latest matrix of the first meter that has one; a cell that is not finite is a hole."""

    def draw(self, window: Window) -> Panel:
        """Draw the heights, rows along y and columns along x."""
        matrices = window.values("matrix")
        if not matrices:
            return figure(window, [], nowhere(window))
        heights = np.asarray(matrices[0][2].value, np.float64)
        low, high = ends(window, heights)
        surface: dict[str, Any] = {
            "type": "surface",
            "z": numbers(heights),
            "cmin": low,
            "cmax": high,
            "colorscale": window.plot.opts.get("colormap", "Viridis"),
            "colorbar": COLORBAR | {"len": 0.7},
            "hovertemplate": "row %{y}<br>column %{x}<br>%{z:.6g}<extra></extra>",
        }
        return figure(window, [surface], space(window))


def ends(window: Window, matrix: Array) -> tuple[float, float]:
    """Return where the colours of a matrix start and end: where the options say, else at its extremes."""
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    opts = window.plot.opts
    return opts.get("xmin", low), opts.get("xmax", high)
