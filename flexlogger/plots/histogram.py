"""Counts between true bin edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.style import MUTED, empty, figure, layout, literal, numbers, rgba
from flexlogger.plots.thinning import Floats
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

_SEPARATE = 60  # bins up to which a thin line parts them


class HistogramPlot:
    """The latest histogram of each meter, lying over each other where there are several."""

    def draw(self, window: Window) -> Panel:
        """Draw the histograms of all meters; vectors are counted into `numbins` bins between their extremes."""
        feeds = window.values("histogram", "vector")
        legend = dict(enumerate(window.plot.opts.get("legend", ())))
        data = []
        for index, (name, feed, latest) in enumerate(feeds):
            edges, counts = bins(latest, window.plot.opts.get("numbins", 30))
            data.append(_bars(literal(legend.get(index, name)), edges, counts, feed.color, len(feeds) > 1))
        look = layout(window, "", "count") | {"barmode": "overlay", "bargap": 0, "hovermode": "closest"}
        look["xaxis"]["showgrid"] = False
        if not any(trace["x"] for trace in data):
            return figure(window, data, empty(look))
        told = [f"{name}: {', '.join(latest.captions)}" for name, _, latest in feeds if latest.captions]
        if told:
            look["annotations"] = [_note(told)]
        return figure(window, data, look)


def _note(lines: list[str]) -> dict[str, Any]:
    """Say in the corner what the bins do not show."""
    corner = {"x": 1, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "top"}
    look = {"showarrow": False, "align": "right", "font": {"size": 11, "color": MUTED}}
    return {"text": "<br>".join(map(literal, lines)), **corner, **look}


def bins(latest: Latest, count: int) -> tuple[Floats, Floats]:
    """Return B + 1 edges and B counts of a histogram, or of a vector's finite entries.

    >>> edges, counts = bins(Latest("vector", np.array([0.0, 1.0, 4.0]), 0), 2)
    >>> edges.tolist(), counts.tolist()
    ([0.0, 2.0, 4.0], [2.0, 1.0])
    """
    value = np.asarray(latest.value, np.float64)
    if latest.kind == "histogram":
        return value[0], value[1, :-1]
    counts, edges = np.histogram(value[np.isfinite(value)], count)
    return edges, counts.astype(np.float64)


def _bars(name: str, edges: Floats, counts: Floats, color: str, several: bool) -> dict[str, Any]:
    line = {"color": "#ffffff", "width": 0.5 if len(counts) <= _SEPARATE and not several else 0}
    return {
        "type": "bar",
        "name": name,
        "x": numbers(edges[:-1]),
        "y": numbers(counts),
        "width": numbers(np.diff(edges)),
        "offset": 0,
        "customdata": numbers(edges[1:]),
        "hovertemplate": "%{x:.4g} to %{customdata:.4g}: %{y}",
        "marker": {"color": rgba(color, 0.55) if several else color, "line": line},
    }
