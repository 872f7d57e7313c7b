"""One bar per entry of a vector, or per scalar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flexlogger.plots.entries import Entries, counted_out, entries
from flexlogger.plots.style import PALETTE, compact, empty, figure, layout, literal, numbers
from flexlogger.plots.window import Feed, Window
from flexlogger.records import Panel

ANNOTATED = 12
"""Entries up to which each has its tick, and each cell of a matrix its number."""
_FEW = 16  # bars up to which each carries its number


class BarPlot:
    """The latest values as bars from zero, side by side where several meters share the window, or stacked."""

    def draw(self, window: Window) -> Panel:
        """Draw the entries of all meters, one colour per meter; where meters have none, one bar per scalar."""
        rows = entries(window)
        look = layout(window)
        look["barmode"] = "stack" if window.plot.opts.get("stacked") else "group"
        look["bargap"] = 0.25
        look["xaxis"] |= {"showgrid": False, "ticks": ""}
        look["yaxis"] |= {"zeroline": True, "zerolinecolor": look["yaxis"]["linecolor"], "showline": False}
        data = self._entries(window, rows, look) if rows else self._scalars(window, look)
        return figure(window, data, look if any(len(trace["x"]) for trace in data) else empty(look))

    def _entries(self, window: Window, rows: list[Entries], look: dict[str, Any]) -> list[dict[str, Any]]:
        places: dict[str, int] = {}
        for row in rows:
            for part in row.parts:
                places.setdefault(part, len(places))
        look["xaxis"] |= ticks(_labels(window, rows[0].feed) or counted_out(list(places)), len(places))
        legend = dict(enumerate(window.plot.opts.get("legend", ())))
        few = len(places) * len(rows) <= _FEW
        return [
            _bar(literal(legend.get(index, row.name)), [places[p] for p in row.parts], row.values, row.feed.color, few)
            for index, row in enumerate(rows)
        ]

    def _scalars(self, window: Window, look: dict[str, Any]) -> list[dict[str, Any]]:
        scalars = window.values("scalar")
        legend = dict(enumerate(window.plot.opts.get("legend", _labels(window, None))))
        names = [str(legend.get(index, name)) for index, (name, _, _) in enumerate(scalars)]
        look["xaxis"] |= ticks(names, len(names))
        values = np.array([latest.value for _, _, latest in scalars], np.float64)
        several = len({feed.meter.name for _, feed, _ in scalars}) > 1
        colors: Any = [feed.color for _, feed, _ in scalars] if several else PALETTE[0]
        bar = _bar(literal(window.title), np.arange(len(values)), values, colors, len(values) <= _FEW)
        return [bar | {"showlegend": False}]


def _labels(window: Window, feed: Feed | None) -> Sequence[Any]:
    opts = window.plot.opts
    return opts.get("labels") or opts.get("rownames") or (feed.meter.labels if feed is not None else ())


def _bar(name: str, x: Any, values: Any, color: Any, few: bool) -> dict[str, Any]:
    heights = np.asarray(values, np.float64)
    bar: dict[str, Any] = {
        "type": "bar",
        "name": name,
        "x": numbers(x),
        "y": numbers(heights),
        "marker": {"color": color, "line": {"width": 0}},
        "hovertemplate": "%{x}: %{y:.6g}",
    }
    if few:
        texts = [compact(h, 3) if np.isfinite(h) else str(h) for h in heights.tolist()]
        bar |= {"text": texts, "textposition": "outside", "cliponaxis": False, "textfont": {"size": 10}}
        bar |= {"constraintext": "none"}  # not smaller where bars are narrow
    return bar


def ticks(labels: Sequence[Any], length: int, most: int = 30) -> dict[str, Any]:
    """Return an axis over entries 0 to `length` - 1 that names them; of very many it names every n-th.

    Without labels the axis counts, and plotly chooses where.

    Entries stand at their index and are only called by their label, so that two equal labels stay two entries.

    >>> ticks(["cat", "dog"], 3)
    {'tickvals': [0, 1, 2], 'ticktext': ['cat', 'dog', '2']}
    """
    if not labels:
        return {"tickformat": "d", **({"dtick": 1} if length <= ANNOTATED else {})}
    shown = range(0, length, max(1, -(-length // most)))
    texts = [literal(labels[index]) if index < len(labels) else str(index) for index in shown]
    return {"tickvals": list(shown), "ticktext": texts}
