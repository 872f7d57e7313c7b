"""One line of a window in bounded memory: points in any order in, at most `max_points` out."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.end import PIECE, End
from flexlogger.plots.thinning import LOWEST, Floats, along, finest, thin

MARKS = 100
"""Non-finite points that a trace marks, the leftmost ones; later ones are counted."""


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


class _Kept(msgspec.Struct, frozen=True):
    """What a trace has thinned so far: finite points and marks, each sorted by x, at what level and whether all of it
    is (what has room need not be), and what it counted on the way: points without a place, and those that are not
    finite by kind."""

    x: Floats
    y: Floats
    marks_x: Floats
    marks_y: Floats
    level: int
    even: bool
    skipped: int
    nonfinite: dict[str, int]


_NOTHING = _Kept(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), LOWEST, False, 0, {"NaN": 0, "+Inf": 0, "-Inf": 0})


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
        self._bound(max_points)
        self.log = log
        self.count = 0
        self.first: First | None = None
        self.work = 0
        """Points looked at while thinning, in all: stays proportional to `count`."""
        self._kept = _NOTHING
        self._now: _Kept | None = _NOTHING  # with what is pending; None until somebody looks
        self._pending = np.empty((2, 16))
        self._fill = 0

    def _bound(self, max_points: int) -> None:
        if max_points < 4:
            raise ValueRefusedError(f"max_points: expected at least 4 (first, last, lowest, highest), got {max_points}")
        self.max_points = max_points
        # A mark costs two points, the gap in the line and the mark itself; all of them may take half of the room.
        self._max_marks = min(MARKS, (max_points - 4) // 4)
        self._batch = max(PIECE, max_points)

    @property
    def level(self) -> int:
        """The level of the buckets that what is shown was thinned into."""
        return self._seen().level

    @property
    def skipped(self) -> int:
        """How many points had an x that is not finite."""
        return self._seen().skipped

    @property
    def nonfinite(self) -> dict[str, int]:
        """How many points had a y that is not finite, by kind."""
        return dict(self._seen().nonfinite)

    def extend(self, xs: ArrayLike, ys: ArrayLike) -> None:
        """Take points: two arrays (N,) of numbers, in order of arrival.

        They are thinned by the batch, each as large as the others: so what is kept follows from the points and their
        order alone, not from how many came at once or from who looked when.
        """
        new_x, new_y = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        self.count += len(new_x)
        self._now = None
        if self._fill and self._fill + len(new_x) >= self._batch:
            room = self._batch - self._fill
            self._wait(new_x[:room], new_y[:room])
            self._settle(*self._pending[:, : self._batch])
            self._fill = 0
            new_x, new_y = new_x[room:], new_y[room:]
        whole = len(new_x) // self._batch * self._batch
        self._settle(new_x[:whole], new_y[:whole])
        self._wait(new_x[whole:], new_y[whole:])

    def _wait(self, new_x: Floats, new_y: Floats) -> None:
        start, end = self._fill, self._fill + len(new_x)
        if end > self._pending.shape[1]:
            grown = np.empty((2, min(self._batch, max(2 * start, end))))
            grown[:, :start] = self._pending[:, :start]
            self._pending = grown
        self._pending[0, start:end] = new_x
        self._pending[1, start:end] = new_y
        self._fill = end

    def _settle(self, x: Floats, y: Floats) -> None:
        """Thin whole batches into what is kept."""
        while len(x):
            self._kept, taken = self._appended(x, y)
            if not taken:
                self._kept, taken = self._thinned(x[: self._batch], y[: self._batch]), self._batch
            x, y = x[taken:], y[taken:]

    def _appended(self, x: Floats, y: Floats) -> tuple[_Kept, int]:
        """What is kept, with as many batches at its end as belong there, and how many points those are."""
        old = self._kept
        if not old.even:
            return old, 0
        end = End(((old.x, old.y),), float(old.marks_x.max(initial=old.x[-1])), old.level, self.log)
        taken, room = 0, self.max_points - 2 * len(old.marks_x)
        for start in range(0, len(x), self._batch):
            new_x, new_y = x[start : start + self._batch], y[start : start + self._batch]
            fine_enough = finest(along(new_x[[0, -1]], self.log)) <= end.level
            more = end.with_more(new_x, new_y) if fine_enough else None
            if more is None:
                break
            while more.count > room:
                more = more.coarser()
                self.work += len(old.x)
            end, taken = more, taken + len(new_x)
        self.work += taken
        return (msgspec.structs.replace(old, x=end.x, y=end.y, level=end.level) if taken else old), taken

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
        had = other._seen()
        kept = self._thinned(np.concatenate((had.x, had.marks_x)), np.concatenate((had.y, had.marks_y)))
        self._kept = self._now = msgspec.structs.replace(kept, skipped=had.skipped, nonfinite=had.nonfinite)
        self.count, self.first = other.count, other.first

    def resize(self, max_points: int) -> None:
        """Have room for so many points from here on.

        >>> trace = Trace()
        >>> trace.extend(np.arange(100), np.arange(100))
        >>> trace.resize(50)
        >>> trace.max_points, len(trace.shown().x)
        (50, 50)
        """
        self._bound(max_points)
        self._kept = self._thinned(*self._pending[:, : self._fill])
        self._fill, self._now = 0, None

    def shown(self) -> Shown:
        """Return what to draw now: at most `max_points` points, gaps and marks together."""
        now = self._seen()
        x = np.concatenate((now.x, now.marks_x))
        y = np.concatenate((now.y, np.full(len(now.marks_x), np.nan)))
        order = np.argsort(x, kind="stable")
        first = self.first if self.first is not None and self.first.x in now.marks_x else None
        return Shown(x[order], y[order], now.marks_x, tuple(map(kind_of, now.marks_y.tolist())), first)

    def _seen(self) -> _Kept:
        if self._now is None:
            x, y = self._pending[:, : self._fill]
            kept, taken = self._appended(x, y) if len(self._kept.x) + len(x) > self.max_points else (self._kept, 0)
            self._now = kept if taken else self._thinned(x, y)
        return self._now

    def _thinned(self, new_x: Floats, new_y: Floats) -> _Kept:
        """What is kept, with new points thinned into it."""
        old = self._kept
        usable = np.isfinite(new_x)
        skipped = old.skipped + int(len(usable) - usable.sum())
        new_x, new_y = new_x[usable], new_y[usable]
        x = np.concatenate((old.x, old.marks_x, new_x))
        y = np.concatenate((old.y, old.marks_y, new_y))
        self.work += len(x)
        x, y = _latest(x, y)
        finite = np.isfinite(y)
        marks_x, marks_y = x[~finite][: self._max_marks], y[~finite][: self._max_marks]
        x, y, level, even = x[finite], y[finite], old.level, False
        limit = self.max_points - 2 * len(marks_x)
        if len(x) > limit:
            chosen, level, looks = thin(along(x, self.log), y, limit, level)
            even = True
            self.work += looks * len(x)
            x, y = x[chosen], y[chosen]
        return _Kept(x, y, marks_x, marks_y, level, even, skipped, _counted(old.nonfinite, new_y))


def _counted(before: dict[str, int], ys: Floats) -> dict[str, int]:
    bad = ys[~np.isfinite(ys)]
    if not len(bad):
        return before
    found = {"NaN": np.isnan(bad).sum(), "+Inf": (bad == np.inf).sum(), "-Inf": (bad == -np.inf).sum()}
    return {kind: count + int(found[kind]) for kind, count in before.items()}


def _latest(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Sort by x; of points with the same x only the last one stays."""
    if len(x) < 2 or (x[1:] > x[:-1]).all():
        return x, y
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    last = np.concatenate((x[1:] != x[:-1], [True]))
    return x[last], y[last]
