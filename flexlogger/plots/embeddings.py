"""Points that lie as near to each other as what they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.entries import part
from flexlogger.plots.scatter import CLASSES, cloud, colour_scale
from flexlogger.plots.style import PALETTE, compact, empty, figure, layout, numbers
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel

MOST = 5000
"""Points that are drawn; of more, every n-th."""


class EmbeddingsPlot:
    """The latest points of each meter. Features, a row for each, are projected onto their two principal components;
    points (N, 2), or (N, 3) with the class last, are drawn where they are."""

    def draw(self, window: Window) -> Panel:
        """Draw the points, one colour for each class; the number of its row stands beside each in the hover."""
        data = [trace for feed in window.feeds if feed.latest for trace in _traces(window, feed)]
        look = layout(window) | {"hovermode": "closest"}
        for which in ("xaxis", "yaxis"):
            look[which] |= {"showticklabels": False, "ticks": "", "showline": False}
        look["yaxis"]["scaleanchor"] = "x"  # distances are what is to be seen
        return figure(window, data, look if data else empty(layout(window)))


def _traces(window: Window, feed: Feed) -> list[dict[str, Any]]:
    points, classes = _points(feed)
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    rows = rows[:: max(1, -(-len(rows) // MOST))]
    points, classes = points[rows], classes[rows] if classes is not None else None
    known = np.unique(classes[np.isfinite(classes)]) if classes is not None else np.zeros(0)
    prefix = f"{feed.meter.name}." if len(window.feeds) > 1 else ""
    if classes is None or not 0 < len(known) <= CLASSES:
        trace = _told(cloud(window, feed.meter.name, points, feed.color), rows)
        if classes is not None and len(known):
            trace["marker"] |= colour_scale(classes)
        return [trace]
    return [_class(window, feed, prefix, points, rows, classes, value) for value in known.tolist()]


def _class(
    window: Window, feed: Feed, prefix: str, points: Array, rows: Array, classes: Array, value: float
) -> dict[str, Any]:
    names = window.plot.opts.get("legend") or feed.meter.labels
    named = value.is_integer() and 0 <= value < len(names)
    name = str(names[int(value)]) if named else compact(value)
    chosen = classes == value
    color = PALETTE[int(value) % len(PALETTE)]
    return _told(cloud(window, prefix + name, points[chosen], color), rows[chosen])


def _told(trace: dict[str, Any], rows: Array) -> dict[str, Any]:
    return trace | {"customdata": numbers(rows), "hovertemplate": "row %{customdata}"}


def _points(feed: Feed) -> tuple[Array, Array | None]:
    """Return a meter's points (N, 2), and the class of each where it has one."""
    features, labels = part(feed, ".features"), part(feed, ".labels")
    alone = part(feed, "") if features is None else features
    if alone is None or alone.ndim != 2 or alone.shape[1] < 2:
        got = "none" if alone is None else f"shape {alone.shape}"
        raise ValueRefusedError(f"{feed.meter.name!r}: expected points (N, 2 or 3) or features (N, D), got {got}")
    array = alone.astype(np.float64)
    if labels is not None:
        labels = labels.astype(np.float64).ravel()
        if len(labels) != len(array):
            raise ValueRefusedError(f"{feed.meter.name!r}: expected {len(array)} labels, got {len(labels)}")
    if features is None and array.shape[1] == 3:
        return array[:, :2], array[:, 2]
    return array if array.shape[1] == 2 else projected(array), labels


def projected(features: Array) -> Array:
    """Return rows of (N, D) on their two principal components, (N, 2), scaled to lie within -1 and 1.

    A row that is not finite comes back as NaN. The direction of an axis is that of its largest loading, so that the
    picture does not flip from one refresh to the next.

    >>> projected(np.array([[0.0, 0, 0], [2, 2, 0], [4, 4, 0]]))[:, 0].round(3).tolist()
    [-1.0, 0.0, 1.0]
    """
    good = np.isfinite(features).all(axis=1)
    places = np.full((len(features), 2), np.nan)
    rows = features[good] - features[good].mean(axis=0) if good.any() else features[good]
    if not len(rows):
        return places
    _, _, axes = np.linalg.svd(rows[:MOST] if len(rows) > MOST else rows, full_matrices=False)
    axes = np.pad(axes[:2], ((0, max(0, 2 - len(axes))), (0, 0)))
    axes *= np.where(axes[range(2), np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    flat = rows @ axes.T
    places[good] = flat / (np.abs(flat).max() or 1.0)
    return places
