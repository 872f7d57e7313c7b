"""One line of a window in bounded memory: points in any order in, at most `max_points` out."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.thinning import LOWEST, Floats, along, thin

MARKS = 100
"""Non-finite points that a trace marks, the leftmost ones; later ones are counted."""
_BATCH = 2048  # pending points that are worth one pass over what is kept


class First(msgspec.Struct, frozen=True):
    """The point of the lowest step whose y is not finite."""

    step: float
    x: float


class Shown(msgspec.Struct, frozen=True):
    """What a window shows of a trace, sorted by x.

    `y` is NaN at a gap. `mark_x` and `mark_kind` ('NaN', '+Inf', '-Inf') are the gaps' places and why they are there;
    `first` is the one of the lowest step, where that is known.
    """

    x: Floats
    y: Floats
    mark_x: Floats
    mark_kind: tuple[str, ...]
    first: First | None = None


def kind_of(y: float) -> str:
    """Name a non-finite number.

    >>> kind_of(float("-inf"))
    '-Inf'
    """
    return "NaN" if y != y else "+Inf" if y > 0 else "-Inf"


class Trace:
    """A thinned series. Memory and `shown` are bounded; n points cost O(n) in all, `shown` costs O(max_points).

    Of points with distinct x it keeps the true first, last, lowest and highest, of the whole and of each bucket of x.
    Where two points have the same x, the later one replaces the earlier; if that one was an extreme that had pushed
    others out, the next best that is still kept takes its place. Points whose x is not finite are dropped and counted
    in `skipped`.

    >>> trace = Trace(max_points=4)
    >>> trace.extend([3, 1, 2, 0, 4], [0.0, 9.0, 1.0, 2.0, 3.0])
    >>> trace.shown().x.tolist(), trace.shown().y.tolist()
    ([0.0, 1.0, 3.0, 4.0], [2.0, 9.0, 0.0, 3.0])
    """

    def __init__(self, max_points: int = 2000, log: bool = False) -> None:
        if max_points < 4:
            raise ValueRefusedError(f"max_points: expected at least 4 (first, last, lowest, highest), got {max_points}")
        self.max_points = max_points
        self.log = log
        self.count = 0
        self.skipped = 0
        self.nonfinite = {"NaN": 0, "+Inf": 0, "-Inf": 0}
        self.first: First | None = None
        self.work = 0
        """Points looked at while thinning, in all: stays proportional to `count`."""
        self.level = LOWEST
        self._x = np.zeros(0)
        self._y = np.zeros(0)
        self._marks_x = np.zeros(0)
        self._marks_y = np.zeros(0)
        self._pending = np.empty((2, 16))
        self._fill = 0
        # A mark costs two points, the gap in the line and the mark itself, and may take a quarter of the room.
        self._max_marks = min(MARKS, (max_points - 4) // 8)
        self._batch = max(_BATCH, max_points)

    def extend(self, xs: ArrayLike, ys: ArrayLike) -> None:
        """Take points: two arrays (N,) of numbers, in order of arrival."""
        new_x, new_y = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        self.count += len(new_x)
        start, end = self._fill, self._fill + len(new_x)
        if end > self._batch:
            waiting = self._pending[:, :start]
            self._fill = 0
            self._take(np.concatenate((waiting[0], new_x)), np.concatenate((waiting[1], new_y)))
            return
        if end > self._pending.shape[1]:
            grown = np.empty((2, min(self._batch, max(2 * start, end))))
            grown[:, :start] = self._pending[:, :start]
            self._pending = grown
        self._pending[0, start:end] = new_x
        self._pending[1, start:end] = new_y
        self._fill = end

    def notice(self, steps: Floats, xs: Floats, ys: Floats) -> None:
        """Look for the first point that is not finite among points at these steps, three arrays (N,).

        >>> trace = Trace()
        >>> trace.notice(np.array([7.0, 5.0]), np.array([0.7, 0.5]), np.array([np.nan, np.inf]))
        >>> trace.first
        First(step=5.0, x=0.5)
        """
        bad = np.flatnonzero(~np.isfinite(ys) & np.isfinite(xs))
        if len(bad):
            at = bad[np.argmin(steps[bad])]
            if self.first is None or steps[at] < self.first.step:
                self.first = First(float(steps[at]), float(xs[at]))

    def take_over(self, other: Trace) -> None:
        """Start from what another trace still has, and from its counts: a window's limit or scale was changed."""
        other.shown()
        self._take(np.concatenate((other._x, other._marks_x)), np.concatenate((other._y, other._marks_y)))
        self.count, self.skipped, self.nonfinite = other.count, other.skipped, dict(other.nonfinite)
        self.first = other.first

    def shown(self) -> Shown:
        """Return what to draw now: at most `max_points` points, gaps and marks together."""
        if self._fill:
            waiting = self._pending[:, : self._fill].copy()
            self._fill = 0
            self._take(waiting[0], waiting[1])
        x = np.concatenate((self._x, self._marks_x))
        y = np.concatenate((self._y, np.full(len(self._marks_x), np.nan)))
        order = np.argsort(x, kind="stable")
        first = self.first if self.first is not None and self.first.x in self._marks_x else None
        return Shown(x[order], y[order], self._marks_x, tuple(map(kind_of, self._marks_y.tolist())), first)

    def _take(self, new_x: Floats, new_y: Floats) -> None:
        if not np.isfinite(new_x).all():
            usable = np.isfinite(new_x)
            self.skipped += int(len(usable) - usable.sum())
            new_x, new_y = new_x[usable], new_y[usable]
        self._count_nonfinite(new_y)
        x = np.concatenate((self._x, self._marks_x, new_x))
        y = np.concatenate((self._y, self._marks_y, new_y))
        self.work += len(x)
        x, y = _latest(x, y)
        finite = np.isfinite(y)
        if not finite.all():
            self._marks_x = x[~finite][: self._max_marks].copy()
            self._marks_y = y[~finite][: self._max_marks].copy()
            x, y = x[finite], y[finite]
        else:
            self._marks_x = self._marks_y = np.zeros(0)
        limit = self.max_points - 2 * len(self._marks_x)
        if len(x) > limit:
            chosen, self.level, looks = thin(along(x, self.log), y, limit, self.level)
            self.work += looks * len(x)
            x, y = x[chosen], y[chosen]
        self._x, self._y = x, y

    def _count_nonfinite(self, ys: Floats) -> None:
        bad = ys[~np.isfinite(ys)]
        if len(bad):
            self.nonfinite["NaN"] += int(np.isnan(bad).sum())
            self.nonfinite["+Inf"] += int((bad == np.inf).sum())
            self.nonfinite["-Inf"] += int((bad == -np.inf).sum())


def _latest(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Sort by x; of points with the same x only the last one stays."""
    if len(x) < 2 or (x[1:] > x[:-1]).all():
        return x, y
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    last = np.concatenate((x[1:] != x[:-1], [True]))
    return x[last], y[last]
