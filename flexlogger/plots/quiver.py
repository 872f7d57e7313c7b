"""A field of arrows."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.entries import part
from flexlogger.plots.style import empty, figure, layout, literal, numbers
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel

_HEAD = 0.33  # length and half width of an arrow's head, as a share of its length; as visdom draws them


class QuiverPlot:
    """The latest field of each meter: matrices `u` and `v`, an arrow's parts along x and y. It starts at its column
    and row, or where `x` and `y` say."""

    def draw(self, window: Window) -> Panel:
        """Draw all arrows of a meter as one line; an arrow that is not finite is left out."""
        fields = [(feed, field) for feed in window.feeds if (field := _field(feed)) is not None]
        look = layout(window) | {"hovermode": "closest"}
        data = [_arrows(window, feed, *field) for feed, field in fields]
        return figure(window, data, look if data else empty(look))


def _field(feed: Feed) -> tuple[Array, Array, Array, Array] | None:
    """Return the starts and parts of a meter's arrows: x, y, u, v, all of one shape."""
    u, v, x, y = (part(feed, suffix) for suffix in (".u", ".v", ".x", ".y"))
    if u is None or v is None:
        if feed.latest:
            raise ValueRefusedError(f"{feed.meter.name!r}: expected a mapping of matrices u and v")
        return None
    if u.ndim != 2 or u.shape != v.shape:
        raise ValueRefusedError(f"{feed.meter.name!r}: expected u and v of one shape, got {u.shape} and {v.shape}")
    rows, columns = np.mgrid[: u.shape[0], : u.shape[1]]
    starts = [(columns if x is None else x), (rows if y is None else y)]
    for which, start in zip("xy", starts, strict=True):
        if start.shape != u.shape:
            problem = f"expected {which} of the shape of u, {u.shape}, got {start.shape}"
            raise ValueRefusedError(f"{feed.meter.name!r}: {problem}")
    return starts[0].astype(np.float64), starts[1].astype(np.float64), u.astype(np.float64), v.astype(np.float64)


def _arrows(window: Window, feed: Feed, x: Array, y: Array, u: Array, v: Array) -> dict[str, Any]:
    opts = window.plot.opts
    x, y, u, v = (each.ravel() for each in (x, y, u, v))
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(u) & np.isfinite(v)
    x, y, u, v = x[good], y[good], u[good], v[good]
    longest = float(np.hypot(u, v).max(initial=0.0))
    if "normalize" in opts and longest > 0:
        u, v = (each * (opts["normalize"] / longest) for each in (u, v))
    across, along = _strokes(x, y, u, v, heads=bool(opts.get("arrowheads", True)))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": literal(feed.meter.name),
        "x": numbers(across),
        "y": numbers(along),
        "line": {"color": feed.color, "width": 1.5},
        "hoverinfo": "skip",
    }


def _strokes(x: Array, y: Array, u: Array, v: Array, heads: bool) -> tuple[Array, Array]:
    """Return one line that draws every arrow: start, tip, and with heads both barbs; then a gap (NaN)."""
    tip_x, tip_y, gap = x + u, y + v, np.full(len(x), np.nan)
    across, along = [x, tip_x], [y, tip_y]
    if heads:
        left = (tip_x - _HEAD * (u + _HEAD * v), tip_y - _HEAD * (v - _HEAD * u))
        right = (tip_x - _HEAD * (u - _HEAD * v), tip_y - _HEAD * (v + _HEAD * u))
        across += [left[0], tip_x, right[0]]
        along += [left[1], tip_y, right[1]]
    return np.column_stack([*across, gap]).ravel(), np.column_stack([*along, gap]).ravel()
