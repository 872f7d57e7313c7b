"""Curves of y over x: ROC, precision over recall, or any other."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.style import MUTED, compact, empty, figure, layout, literal, numbers
from flexlogger.plots.window import Feed, Window
from flexlogger.records import Panel

_AXES = {"roc": ("false positive rate", "true positive rate"), "pr": ("recall", "precision"), "": ("", "")}


class CurvePlot:
    """The latest curve of each meter; beside its name in the hover stands the meter's scalar, the area."""

    def draw(self, window: Window) -> Panel:
        """Draw the curves of all meters."""
        curves = window.values("curve")
        family = _family(window)
        legend = dict(enumerate(window.plot.opts.get("legend", ())))
        data = []
        for index, (name, feed, latest) in enumerate(curves):
            label = literal(legend.get(index, feed.meter.name if len(feed.values("curve")) == 1 else name))
            data.append(_curve(label, np.asarray(latest.value, np.float64), feed))
        if data and window.plot.opts.get("diagonal", family == "roc"):
            data.insert(0, _diagonal())
        look = layout(window, *_AXES[family]) | {"hovermode": "closest"}
        if family:
            for which in ("xaxis", "yaxis"):
                look[which].setdefault("range", [-0.02, 1.02])
        areas = [_area(feed) for _, feed, _ in curves]
        if any(areas):
            look["annotations"] = [_note(areas, family)]
        return figure(window, data, look if data else empty(look))


def _family(window: Window) -> str:
    """Guess from what the meters call themselves whether these are ROC or precision-recall curves."""
    words = " ".join(f.meter.type + " " + " ".join(o.name for o in f.meter.outputs) for f in window.feeds).lower()
    if any(word in words for word in ("precisionrecall", "averageprecision", "apmeter", ".pr")):
        return "pr"
    return "roc" if any(word in words for word in ("roc", "auc")) else ""


def _curve(name: str, points: Any, feed: Feed) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": numbers(points[0]),
        "y": numbers(points[1]),
        "line": {"color": feed.color, "width": 2},
        "marker": {"color": feed.color, "line": {"color": feed.color, "width": 0}},
        "hovertemplate": "%{x:.3f}, %{y:.3f}",
    }


def _diagonal() -> dict[str, Any]:
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "chance",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": [0, 1],
        "y": [0, 1],
        "line": line,
        "marker": {"line": line},
    }


def _area(feed: Feed) -> str:
    """Say the meter's own scalar, where it has one: the area under its curve."""
    scalars = feed.values("scalar")
    number = scalars[0][1].value if scalars else None
    return f"{literal(feed.meter.name)}: {compact(number)}" if isinstance(number, float) and np.isfinite(number) else ""


def _note(areas: list[str], family: str) -> dict[str, Any]:
    """Say the areas in the corner that such curves leave free."""
    return {
        "text": "<br>".join(["area under the curve", *(area for area in areas if area)]),
        "x": 0.02 if family == "pr" else 0.98,
        "y": 0.04,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left" if family == "pr" else "right",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "font": {"size": 11, "color": MUTED},
        "bgcolor": "rgba(255, 255, 255, 0.8)",
    }
