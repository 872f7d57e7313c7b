"""Shares of a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.entries import entries
from flexlogger.plots.style import PALETTE, empty, figure, layout, literal, numbers
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel


class PiePlot:
    """The latest numbers as slices, in their order: the entries of the first meter that has some, else one slice for
    each scalar meter."""

    def draw(self, window: Window) -> Panel:
        """Draw the slices; what is negative is refused, what is not finite has no slice."""
        names, values = _slices(window)
        if not len(values):
            return figure(window, [], empty(layout(window)))
        negative = [name for name, value in zip(names, values.tolist(), strict=True) if value < 0]
        if negative:
            raise ValueRefusedError(f"expected shares of a whole, but {', '.join(negative[:3])} is below 0")
        look = layout(window)
        del look["xaxis"], look["yaxis"]
        pie: dict[str, Any] = {
            "type": "pie",
            "name": literal(window.title),
            "labels": [literal(name) for name in names],
            "values": numbers(values),
            "sort": False,
            "direction": "clockwise",
            "textinfo": "label+percent",
            "hovertemplate": "%{label}: %{value:.6g} (%{percent})<extra></extra>",
            "marker": {
                "colors": [PALETTE[index % len(PALETTE)] for index in range(len(values))],
                "line": {"color": "#ffffff", "width": 1},
            },
        }
        return figure(window, [pie], look | {"margin": {"l": 20, "r": 20, "t": 20, "b": 20}})


def _slices(window: Window) -> tuple[list[str], Array]:
    rows = entries(window)
    if rows:
        names, values, feed = list(rows[0].parts), rows[0].values, rows[0].feed
        given: Sequence[Any] = feed.meter.labels
    else:
        scalars = window.values("scalar")
        names, values, given = [name for name, _, _ in scalars], [latest.value for _, _, latest in scalars], ()
    opts = window.plot.opts
    known = dict(enumerate(opts.get("legend") or opts.get("labels") or given))
    return [str(known.get(index, name)) for index, name in enumerate(names)], np.asarray(values, np.float64)
