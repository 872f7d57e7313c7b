"""What stands on a line where its values are not finite: a mark each, and at the first one what it was, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from flexlogger.plots.style import WARN, axis, numbers
from flexlogger.plots.thinning import Floats
from flexlogger.plots.window import Line, Window

_SYMBOLS = {"NaN": "x", "+Inf": "triangle-up", "-Inf": "triangle-down"}
_TOLD, _NAMES = 8, 3  # places of a window, and names of a place, that are written out


def marks(window: Window, line: Line, name: str) -> dict[str, Any]:
    """Return the marks of one line as a trace of their own."""
    shown = line.shown
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} (not finite)",
        "legendgroup": name,
        "showlegend": False,
        "x": numbers(shown.mark_x),
        "y": numbers(_heights(window, line)),
        "text": list(shown.mark_kind),
        "hovertemplate": "%{text}<extra>" + name + "</extra>",
        "marker": {
            "symbol": [_SYMBOLS[kind] for kind in shown.mark_kind],
            "size": 9,
            "color": WARN,
            "line": {"color": line.color, "width": 1.5},
        },
    }


def _heights(window: Window, line: Line) -> Floats:
    """Marks stand at the height of the last finite value before them, or of the first one after."""
    shown = line.shown
    finite = np.isfinite(shown.y)
    if not finite.any():
        return np.full(len(shown.mark_x), 1.0 if axis(window, "y")["type"] == "log" else 0.0)
    before = np.searchsorted(shown.x[finite], shown.mark_x) - 1
    heights: Floats = shown.y[finite][np.maximum(before, 0)]
    return heights


class _First(msgspec.Struct, frozen=True):
    """The first mark of one line."""

    x: float
    y: float
    text: str
    name: str


def firsts(window: Window, lines: Sequence[Line], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return annotations that say of each line what its first value was that is not finite, and at which step.

    Lines that went bad at one place share one.
    """
    found = [_first(window, line, name) for line, name in zip(lines, names, strict=True) if len(line.shown.mark_x)]
    found = [one for one in found if all(_along(window, *place) is not None for place in (("x", one.x), ("y", one.y)))]
    places = sorted({first.x for first in found})[:_TOLD]
    ends = [x for line in lines if len(line.shown.x) for x in (line.shown.x[0], line.shown.x[-1])]
    middle = (min(ends) + max(ends)) / 2 if ends else 0.0
    return [_note(window, [one for one in found if one.x == x], len(lines) > 1, x > middle) for x in places]


def _first(window: Window, line: Line, name: str) -> _First:
    """Choose the mark of the lowest step, which over any other axis than steps only the trace knows."""
    shown, known = line.shown, line.shown.first
    at = int(np.flatnonzero(shown.mark_x == known.x)[0]) if known is not None and window.plot.x != "step" else 0
    step = float(shown.mark_x[0]) if window.plot.x == "step" else known.step if known is not None else None
    when = f" at step {step:.15g}" if step is not None else ""
    return _First(float(shown.mark_x[at]), float(_heights(window, line)[at]), shown.mark_kind[at] + when, name)


def _note(window: Window, firsts: Sequence[_First], named: bool, right: bool) -> dict[str, Any]:
    """Write above the highest mark what the lines have in common, on the side that has room for it."""
    texts = list(dict.fromkeys(first.text for first in firsts))
    if named:
        texts += [first.name for first in firsts[:_NAMES]]
        texts += [f"and {len(firsts) - _NAMES} more"] if len(firsts) > _NAMES else []
    return {
        "text": "<br>".join(texts),
        "align": "right" if right else "left",
        "x": _along(window, "x", firsts[0].x),
        "y": _along(window, "y", max(first.y for first in firsts)),
        "xanchor": "right" if right else "left",
        "yanchor": "bottom",
        "ax": -8 if right else 8,
        "ay": -14,
        "arrowhead": 0,
        "arrowwidth": 1,
        "arrowcolor": WARN,
        "font": {"size": 11, "color": WARN},
        "bgcolor": "rgba(255, 255, 255, 0.8)",
    }


def _along(window: Window, which: str, value: float) -> float | None:
    """Return a place as plotly's annotations want it: on a log axis its logarithm, None where it has none."""
    if axis(window, which)["type"] != "log":
        return value
    return math.log10(value) if value > 0 else None
