"""How our figures look: colours that stay apart for colour-blind eyes, thin grids, room for the data."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from flexlogger.plots.window import Window
from flexlogger.records import Panel

PALETTE = (
    "#0072b2",  # the first six after Okabe and Ito, without their yellow, which is too pale for a line on white
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#6a51a3",
    "#8c6d31",
    "#a6193f",
    "#5f6b7a",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
WIDTHS = (2, 4, 1)
"""Widths of lines in pixels: the first, until all colours with all dashes are taken."""
INK, MUTED, GRID, EDGE = "#2b2f36", "#7a828e", "#e9ecf1", "#c4cad3"
FONT = "'Open Sans', 'Helvetica Neue', Arial, sans-serif"
WARN = "#c2185b"
"""The colour of what is not a number; no line has it."""
BESIDE = 6
"""Entries up to which a legend stands above its figure; a longer one stands on the right."""
THOUSANDS = 10_000
"""Heights from which a linear axis says 12k; SI prefixes of small numbers (100μ) say less than 10⁻⁴."""


def rgba(color: str, alpha: float) -> str:
    """Return `color` (#rrggbb) with an opacity; any other notation of CSS comes back as it is.

    >>> rgba("#0072b2", 0.2)
    'rgba(0, 114, 178, 0.2)'
    """
    if len(color) != 7 or not color.startswith("#"):
        return color
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:g})"


def numbers(values: ArrayLike) -> list[Any]:
    """Return an array as nested lists for JSON: non-finite numbers become None, whole ones become ints.

    >>> numbers([1.0, float("nan"), 2.5])
    [1.0, None, 2.5]
    >>> numbers([1.0, 2.0])
    [1, 2]
    """
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    if finite.all():
        whole = (array == np.round(array)).all() and (np.abs(array) < 2**53).all()
        plain: list[Any] = (array.astype(np.int64) if whole else array).tolist()
        return plain
    holes = array.astype(object)
    holes[~finite] = None
    with_none: list[Any] = holes.tolist()
    return with_none


def literal(text: object) -> str:
    """Return text that plotly shows as it is: its labels know a little HTML, and '<unk>' would vanish.

    >>> literal("<unk>")
    '&lt;unk&gt;'
    """
    return html.escape(str(text), quote=False)


def compact(value: float, digits: int = 4) -> str:
    """Write a number as people read it: few digits that count, no trailing zeros.

    >>> compact(1234.0), compact(0.123456), compact(1e-7), compact(54321.7, 3)
    ('1234', '0.1235', '1e-07', '54322')
    """
    whole = float(value).is_integer() and abs(value) < 1e15
    return f"{value:.0f}" if whole or 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"


def axis(window: Window, which: str, label: str = "") -> dict[str, Any]:
    """Return plotly's settings of axis 'x' or 'y': the window's options over our look."""
    opts = window.plot.opts
    scale = opts.get(f"{which}type", "linear")
    made: dict[str, Any] = {
        "type": scale,
        "title": {"text": literal(opts.get(f"{which}label", label)), "standoff": 6, "font": {"size": 12}},
        "gridcolor": GRID,
        "zeroline": False,
        "showline": True,
        "linecolor": EDGE,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": EDGE,
        "automargin": True,
    }
    if which == "y" and scale == "log":
        made["nticks"] = 4  # else a decade or two get a label at every digit
    made["exponentformat"] = "SI" if which == "x" and scale == "linear" else "power"  # 200k steps, 10⁻⁵
    low, high = opts.get(f"{which}tickmin"), opts.get(f"{which}tickmax")
    if low is not None and high is not None:
        made["range"] = [math.log10(low), math.log10(high)] if scale == "log" and min(low, high) > 0 else [low, high]
    return made


def layout(window: Window, xlabel: str = "", ylabel: str = "") -> dict[str, Any]:
    """Return our layout of a two-dimensional figure, before `figure` merges the user's own into it."""
    return {
        "margin": {"l": 56, "r": 20, "t": 16, "b": 44},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": FONT, "size": 12, "color": INK},
        "hoverlabel": {"font": {"family": FONT, "size": 12}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "bgcolor": "rgba(255, 255, 255, 0)",
            "font": {"size": 11},
        },
        "xaxis": axis(window, "x", xlabel),
        "yaxis": axis(window, "y", ylabel),
    }


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key, in place; anything else of `over` replaces what stood there."""
    for key, value in over.items():
        below = base.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merge(below, value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value
    return base


def size(window: Window) -> dict[str, Any]:
    """Return the size of a window in pixels where one was asked for: the user may drag all others as they like."""
    asked = {
        "width": window.plot.opts.get("width", window.width),
        "height": window.plot.opts.get("height", window.height),
    }
    return {key: value for key, value in asked.items() if value is not None}


def figure(window: Window, data: Sequence[dict[str, Any]], look: dict[str, Any]) -> Panel:
    """Return the panel of a plotly figure: legend where there is more than one trace, the user's layout merged last."""
    opts = window.plot.opts
    shown = sum(bool(trace.get("name")) and trace.get("showlegend", True) for trace in data)
    look["showlegend"] = bool(opts.get("showlegend", shown > 1))
    if shown > BESIDE:
        look["legend"] = {
            "x": 1.02,
            "y": 1,
            "xanchor": "left",
            "yanchor": "top",
            "tracegroupgap": 0,
            "font": {"size": 11},
        }
    if look.get("yaxis", {}).get("type") == "linear" and _highest(data) >= THOUSANDS:
        look["yaxis"]["exponentformat"] = "SI"
    merge(look, (opts.get("layoutopts") or {}).get("plotly") or {})
    merge(look, opts.get("layout") or {})
    nothing = [{"type": "scatter", "x": [], "y": []}]  # the server wants a first trace
    return Panel(window.title, list(data) or nothing, look, {"title": window.title, **size(window)})


def _highest(data: Sequence[dict[str, Any]]) -> float:
    """The largest absolute value of what is drawn; `max` over numbers alone is much faster than a look at each."""
    highest = 0.0
    for trace in data:
        ys = trace.get("y", ())
        try:
            highest = max(highest, max(ys, default=0), -min(ys, default=0))
        except TypeError:  # gaps, or words
            numbers_in = [abs(y) for y in ys if isinstance(y, int | float)]
            highest = max(highest, max(numbers_in, default=0))
    return highest


def empty(look: dict[str, Any], text: str = "no values yet") -> dict[str, Any]:
    """Say in the middle of a figure why there is nothing in it."""
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    look["annotations"] = [{"text": text, "font": {"color": MUTED}, **middle}]
    for which in ("xaxis", "yaxis"):
        look[which] |= {"showticklabels": False, "ticks": "", "showgrid": False}
    return look
