"""The end of a thinned series, to which ascending points come: thinned without letting go of the interpreter.

numpy lets go of it in every call for more than 500 entries, and in some for fewer. Beside a loop that keeps it busy
each time is a wait of 5 ms or more before the view's thread has it back: a hundred times what the call itself takes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np

from flexlogger.plots.thinning import Floats, along, bucket

PIECE = 480
"""Points that are thinned at once; with those that are still open they are fewer than 500."""
_OPEN = 4
"""Points that a bucket leaves: so many at the end may yet change."""

Points = tuple[Floats, Floats]
"""Where they are and what they are, (N,) each."""
_NOTHING: Points = np.zeros(0), np.zeros(0)


class End(msgspec.Struct, frozen=True):
    """The `parts` of a series, ascending and thinned at a `level`; new points must be behind `last`.

    >>> end = End(((np.array([0.0, 1.0]), np.array([2.0, 3.0])),), last=1.0, level=3)
    >>> end = end.with_more(np.array([2.0, 3.0, 4.0, 8.0]), np.array([5.0, 0.0, 1.0, 1.0]))
    >>> end.x.tolist(), end.coarser().x.tolist()
    ([0.0, 2.0, 3.0, 4.0, 8.0], [0.0, 2.0, 3.0, 8.0])
    """

    parts: tuple[Points, ...]
    last: float
    level: int
    log: bool = False

    @property
    def count(self) -> int:
        """How many points there are."""
        return sum(len(x) for x, _ in self.parts)

    @property
    def x(self) -> Floats:
        """Where they are, (N,)."""
        return np.concatenate([x for x, _ in self.parts])

    @property
    def y(self) -> Floats:
        """What they are, (N,)."""
        return np.concatenate([y for _, y in self.parts])

    def with_more(self, x: Floats, y: Floats) -> End | None:
        """Return what it is with more points; None where they are not finite, ascending and behind all others."""
        pieces, last = _pieces(x, y), self.last
        for more_x, more_y in pieces:
            if not (last < more_x[0] and (more_x[1:] > more_x[:-1]).all() and np.isfinite(more_y).all()):
                return None
            last = float(more_x[-1])
        if not np.isfinite(last):
            return None
        *done, (last_x, last_y) = self.parts
        done.append((last_x[:-_OPEN], last_y[:-_OPEN]))
        more = self._thinned((last_x[-_OPEN:], last_y[-_OPEN:]), pieces, self.level)
        return End((*done, *more), last, self.level, self.log)

    def coarser(self) -> End:
        """Return what it is a level higher."""
        pieces = [piece for part in self.parts for piece in _pieces(*part)]
        return End(self._thinned(_NOTHING, pieces, self.level + 1), self.last, self.level + 1, self.log)

    def _thinned(self, still_open: Points, pieces: Sequence[Points], level: int) -> tuple[Points, ...]:
        """Pieces thinned one behind the other; what is still open before them may change with what comes."""
        done = []
        for more_x, more_y in pieces:
            x, y = np.concatenate((still_open[0], more_x)), np.concatenate((still_open[1], more_y))
            kept = extremes_of_few(bucket(along(x, self.log), level), y)
            x, y = x[kept], y[kept]
            done.append((x[:-_OPEN], y[:-_OPEN]))
            still_open = x[-_OPEN:], y[-_OPEN:]
        return (*done, still_open)


def _pieces(x: Floats, y: Floats) -> list[Points]:
    return [(x[start : start + PIECE], y[start : start + PIECE]) for start in range(0, len(x), PIECE)]


def extremes_of_few(buckets: Floats, ys: Floats) -> list[int]:
    """Return what `thinning.extremes` does, of at most 500 points.

    >>> extremes_of_few(np.zeros(5), np.array([1.0, 5.0, 2.0, 0.0, 3.0]))
    [0, 1, 3, 4]
    """
    edges = [0, *(np.flatnonzero(buckets[1:] != buckets[:-1]) + 1).tolist(), len(ys)]
    values, keep = ys.tolist(), set[int]()
    for start, end in itertools.pairwise(edges):
        part = values[start:end]
        keep |= {start, end - 1, start + part.index(min(part)), start + part.index(max(part))}
    return sorted(keep)
