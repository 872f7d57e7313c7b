"""Figures in space: their axes, and a text where there is nothing to see."""

from __future__ import annotations

from typing import Any

from flexlogger.plots.style import EDGE, GRID, empty, layout, literal
from flexlogger.plots.window import Window


def space(window: Window, aspect: str = "auto") -> dict[str, Any]:
    """Return our layout of a figure with three axes; with aspect 'data' a unit is as long on each of them."""
    look = layout(window)
    del look["xaxis"], look["yaxis"]
    opts = window.plot.opts
    axis = {"gridcolor": GRID, "linecolor": EDGE, "zeroline": False, "showbackground": False, "tickfont": {"size": 10}}
    titles = {which: {"text": literal(opts.get(f"{which}label", which))} for which in "xyz"}
    scene = {f"{which}axis": axis | {"title": titles[which]} for which in "xyz"}
    return look | {"scene": scene | {"aspectmode": aspect}, "margin": {"l": 0, "r": 0, "t": 8, "b": 8}}


def nowhere(window: Window) -> dict[str, Any]:
    """Return the layout of a figure without values."""
    return empty(layout(window))
