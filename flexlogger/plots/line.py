"""Scalars over steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.bar import BarPlot
from flexlogger.plots.marks import firsts, marks
from flexlogger.plots.style import empty, figure, layout, literal, numbers, rgba
from flexlogger.plots.thinning import Floats
from flexlogger.plots.trace import Shown
from flexlogger.plots.window import Line, Window
from flexlogger.records import Panel

_FEW = 30  # points up to which a lone one, which no line reaches, is worth marking all of them


class LinePlot:
    """One line per scalar, named after its meter, with gaps and marks where it was not finite."""

    def draw(self, window: Window) -> Panel:
        """Draw the lines of all meters; without any, the bars of a vector too long for lines."""
        lines = [line for feed in window.feeds for line in feed.lines]
        if not lines and window.values("vector"):
            return BarPlot().draw(window)
        legend = dict(enumerate(window.plot.opts.get("legend", ())))
        names = [literal(legend.get(index, line.name)) for index, line in enumerate(lines)]
        data = [trace for line, name in zip(lines, names, strict=True) for trace in _traces(window, line, name)]
        look = layout(window, _xlabel(window), _unit(window))
        shown = [line.shown for line in lines if len(line.shown.x)]
        look["xaxis"]["automargin"] = False  # numbers have room, and this takes a browser a third of a drawing
        look["hovermode"] = "x unified" if len(lines) <= 10 else "closest"
        if not shown:
            empty(look)
        elif window.plot.opts.get("xtype") != "log":
            look["xaxis"] |= _whole_ticks(shown)
        if told := firsts(window, lines, names):
            look["annotations"] = told
        return figure(window, data, look)


def _xlabel(window: Window) -> str:
    return "hours" if window.plot.x == "time" else window.plot.x


def _unit(window: Window) -> str:
    units = {output.unit for feed in window.feeds for output in feed.meter.outputs if output.drawn}
    return units.pop() if len(units) == 1 else ""


def _whole_ticks(shown: list[Shown]) -> dict[str, Any]:
    """No ticks between whole steps while there are few of them."""
    low, high = min(s.x[0] for s in shown), max(s.x[-1] for s in shown)
    whole = all((s.x == np.floor(s.x)).all() for s in shown)
    return {"dtick": 1} if whole and 0 < high - low <= 8 else {}


def _traces(window: Window, line: Line, name: str) -> list[dict[str, Any]]:
    opts, shown = window.plot.opts, line.shown
    smoothing = min(float(opts.get("smoothing", 0)), 0.999)
    ys = smoothed(shown.y, smoothing) if smoothing else shown.y
    main = _scatter(line, name, shown.x, ys) | {"hovertemplate": "%{y:.6g}"}
    if opts.get("markers") or _lone(shown.y):
        main["mode"] = "lines+markers"
    if opts.get("fillarea"):
        main |= {"fill": "tozeroy", "fillcolor": rgba(line.color, 0.12)}
    traces = _band(line, name, opts.get("ytype") == "log") if line.band is not None else []
    if smoothing:
        raw = _scatter(line, f"{name} (raw)", shown.x, shown.y)
        raw["line"] = {"color": rgba(line.color, 0.25), "width": 1}
        traces.append(raw | {"showlegend": False, "legendgroup": name, "hoverinfo": "skip"})
    traces.append(main)
    if len(shown.mark_x):
        traces.append(marks(window, line, name))
    return traces


def _scatter(line: Line, name: str, x: Floats, y: Floats) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "legendgroup": name,
        "x": numbers(x),
        "y": numbers(y),
        "line": {"color": line.color, "dash": line.dash, "width": line.width},
        # The dashboard's smoothing slider reads marker.line of every line.
        "marker": {"color": line.color, "size": 5, "line": {"color": line.color, "width": 0}},
    }


def _lone(y: Floats) -> bool:
    """Whether a short line has a finite point without a finite neighbour: a line alone would not show it."""
    finite = np.concatenate(([False], np.isfinite(y), [False]))
    return len(y) <= _FEW and bool((finite[1:-1] & ~finite[:-2] & ~finite[2:]).any())


def _band(line: Line, name: str, log: bool) -> list[dict[str, Any]]:
    """One closed outline from `line` minus its band to `line` plus it; on a log axis it ends above zero."""
    band, finite = line.band, np.isfinite(line.shown.y)
    has = np.isfinite(band.y) if band is not None else finite
    if band is None or not has.any() or not finite.any():
        return []
    x, y = line.shown.x[finite], line.shown.y[finite]
    around = np.interp(x, band.x[has], band.y[has])
    low, high = y - around, y + around
    if log:
        positive = np.concatenate((low[low > 0], y[y > 0]))
        low = np.maximum(low, positive.min()) if len(positive) else low
    outline = {"x": numbers(np.concatenate((x, x[::-1]))), "y": numbers(np.concatenate((low, high[::-1])))}
    look = {"mode": "none", "fill": "toself", "fillcolor": rgba(line.color, 0.18)}
    told = {"name": f"{name} (band)", "legendgroup": name, "showlegend": False, "hoverinfo": "skip"}
    return [{"type": "scatter"} | look | told | outline]


def smoothed(y: Floats, weight: float) -> Floats:
    """Return the exponential moving average of `y`, without the pull of its start towards zero; gaps stay gaps.

    Like the smoothing of TensorBoard, it runs over the points shown: e = weight * e + (1 - weight) * y, divided by
    1 - weight**n.

    >>> smoothed(np.array([1.0, 1.0, 4.0]), 0.5).round(3).tolist()
    [1.0, 1.0, 2.714]
    """
    out, average, total = np.full(len(y), np.nan), 0.0, 0.0
    for index, value in enumerate(y.tolist()):
        if value == value:
            average = weight * average + (1 - weight) * value
            total = weight * total + (1 - weight)
            out[index] = average / total
    return out
