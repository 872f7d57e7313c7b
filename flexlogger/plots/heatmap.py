"""A matrix as colours, row 0 on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flexlogger.plots.bar import ANNOTATED, ticks
from flexlogger.plots.style import compact, empty, figure, layout, numbers, size
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel

_WIDE = 371  # pixels of a pane that no size is asked for
_BESIDE = 120  # pixels that labels and colour bar take of its width
# One-hued and light at zero, and two-hued and light at zero, after ColorBrewer's Blues and RdBu.
BLUES = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b")
AROUND_ZERO = ("#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b")


class HeatmapPlot:
    """The latest matrix; where several meters share the window, the first that has one."""

    def draw(self, window: Window) -> Panel:
        """Draw the matrix with labels on both axes, and the numbers in its cells while they are few."""
        matrices = window.values("matrix")
        if not matrices:
            look = empty(layout(window))
            return figure(window, [{"type": "heatmap", "z": [], "showscale": False}], look)
        _, feed, latest = matrices[0]
        matrix = np.asarray(latest.value, np.float64)
        confusion = "confusion" in feed.meter.type.lower()
        look = layout(window, "prediction" if confusion else "", "truth" if confusion else "")
        rows, columns = _labels(window, feed)
        bare = {
            "showgrid": False,
            "showline": False,
            "tickcolor": "rgba(0, 0, 0, 0)",
        }  # ticks keep labels off the cells
        look["xaxis"] |= bare | ticks(columns, matrix.shape[1])
        look["yaxis"] |= bare | ticks(rows, matrix.shape[0])
        look["yaxis"]["autorange"] = "reversed"
        look["margin"]["r"] = 8
        return figure(window, [_cells(window, matrix, look)], look)


def _labels(window: Window, feed: Feed) -> tuple[Sequence[Any], Sequence[Any]]:
    opts = window.plot.opts
    both = opts.get("labels") or feed.meter.labels
    return opts.get("rownames", both), opts.get("columnnames", both)


def _cells(window: Window, matrix: Array, look: dict[str, Any]) -> dict[str, Any]:
    opts = window.plot.opts
    low, high = scale(matrix)
    low, high = opts.get("xmin", low), opts.get("xmax", high)
    centred = low < 0 < high
    colors: Any = opts.get("colormap") or [
        [index / 8, color] for index, color in enumerate(AROUND_ZERO if centred else BLUES)
    ]
    cells: dict[str, Any] = {
        "type": "heatmap",
        "z": numbers(matrix),
        "zmin": low,
        "zmax": high,
        "colorscale": colors,
        "xgap": 1 if max(matrix.shape) <= 40 else 0,
        "ygap": 1 if max(matrix.shape) <= 40 else 0,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "len": 1, "tickfont": {"size": 10}, "ticks": ""},
        "hovertemplate": f"{look['yaxis']['title']['text'] or 'row'} %{{y}}<br>"
        f"{look['xaxis']['title']['text'] or 'column'} %{{x}}<br>%{{z:.6g}}<extra></extra>",
    }
    if opts.get("annotate", max(matrix.shape) <= ANNOTATED):
        texts = cell_texts(matrix)
        cells |= {"text": texts, "texttemplate": "%{text}", "textfont": {"size": _text_size(window, texts)}}
    return cells


def _text_size(window: Window, texts: list[list[str]]) -> int:
    """Return the size of type, 7 to 11, at which the numbers of neighbouring cells do not run into each other."""
    longest = max((len(text) for row in texts for text in row), default=1)
    cell = (size(window).get("width", _WIDE) - _BESIDE) / max(1, len(texts[0]) if texts else 1)
    return int(min(11, max(7, cell / (0.62 * max(1, longest)))))


def scale(matrix: Array) -> tuple[float, float]:
    """Return where colours start and end: at zero where all entries have one sign, else as far down as up.

    >>> scale(np.array([[1.0, 5.0]])), scale(np.array([[-1.0, 5.0]]))
    ((0.0, 5.0), (-5.0, 5.0))
    """
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low < 0 < high:
        high = max(high, -low)
        return -high, high
    return (0.0, high or 1.0) if low >= 0 else (low, 0.0)


def cell_texts(matrix: Array) -> list[list[str]]:
    """Write every number short: two decimals between -10 and 10, and nothing for what would read 0.00.

    >>> cell_texts(np.array([[0.956, 0.0], [float("nan"), 1.0]]))
    [['0.96', ''], ['nan', '1.00']]
    >>> cell_texts(np.array([[12.0, 0.0]]))
    [['12', '0']]
    """
    finite = matrix[np.isfinite(matrix)]
    fractions = bool((finite != np.floor(finite)).any() and (np.abs(finite) < 10).all())
    if not fractions:
        return [[compact(cell) if np.isfinite(cell) else str(cell) for cell in row] for row in matrix.tolist()]
    return [["" if abs(cell) < 0.005 else f"{cell:.2f}" for cell in row] for row in matrix.tolist()]
