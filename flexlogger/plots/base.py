"""What a plot type is: one function from a window's state to the panel that is sent."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Protocol

from flexlogger.plots.catalog import plot_info
from flexlogger.plots.window import Window
from flexlogger.records import Panel


class Plot(Protocol):
    """A plot type. It has no state: the same window gives the same panel."""

    def draw(self, window: Window) -> Panel:
        """Return the panel of `window`; a window without values gives an empty one."""


@cache
def load(name: str) -> Plot:
    """Return the plot type called `name`; raise `UnknownNameError` if there is none."""
    module, _, attribute = plot_info(name).path.partition(":")
    plot: Plot = getattr(importlib.import_module(module), attribute)()
    return plot
