"""Rows of moments of many small arrays that lie one behind the other: numpy over all of them, on whichever thread.

numpy frees the interpreter while it works, so that training goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexlogger.model.need import Need
from flexlogger.model.statistics import ABS, COLUMNS, HIGH, LOW, M2, MEAN, SQUARE, ZEROS, N, Rows, exact

Starts = np.ndarray[tuple[int], np.dtype[np.int64]]

LEAST, MOST = 1e-8, 1e12
"""Between these, squares of float32 neither vanish nor overflow, and neither do those of deviations from the mean."""


class Flat:
    """Pages of (entries, where each array begins); `order`: which of all arrays each is, where not in this order."""

    def __init__(self, pages: Sequence[tuple[Rows, Starts]], order: Starts | None = None) -> None:
        self._pages, self._order = pages, order

    def rows(self, need: Need) -> Rows:
        """A row per array, (K, 9), in the order they were added."""
        parts = [_rows(values, starts, need) for values, starts in self._pages]
        if not parts:
            return np.zeros((0, len(COLUMNS)))
        rows = np.concatenate(parts)
        if self._order is None:
            return rows
        sorted_rows = np.empty_like(rows)
        sorted_rows[self._order] = rows
        return sorted_rows


def _rows(values: Rows, starts: Starts, need: Need) -> Rows:
    sizes = np.diff(starts, append=values.size)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        if (sizes == sizes[0]).all():
            rows = _alike(values.reshape(len(starts), -1), need)
        else:
            rows = _mixed(values, starts, sizes, need)
        failed = ~np.isfinite(rows).all(1)
    for at in np.flatnonzero(failed):
        rows[at] = exact(values[starts[at] : starts[at] + sizes[at]].astype(np.float64))
    return rows


def _alike(values: Rows, need: Need) -> Rows:
    """The rows of K arrays of one size, (K, n), a pass for each sum."""
    count, size = values.shape
    rows = np.zeros((count, len(COLUMNS)))
    rows[:, N] = size
    low, high = values.min(1), values.max(1)
    if need.extremes:
        rows[:, LOW], rows[:, HIGH] = low, high
    largest = np.maximum(-low, high)
    if not ((largest == 0) | ((largest > LEAST) & (largest < MOST))).all():
        values = values.astype(np.float64)
    rows[:, MEAN] = values.sum(1) / size
    if need.spread:  # around the mean as far as it is known, which also makes the mean exact
        center = rows[:, MEAN].astype(values.dtype)
        away = values - center[:, None]
        off = away.sum(1).astype(np.float64) / size
        rows[:, M2] = np.maximum(_squares_of(away) - size * np.square(off), 0.0)
        rows[:, MEAN] = center + off
        rows[:, SQUARE] = rows[:, M2] + size * np.square(rows[:, MEAN])
    elif need.square:
        rows[:, SQUARE] = _squares_of(values)
    if need.abs:
        rows[:, ABS] = np.abs(values).sum(1)
    if need.zeros:
        rows[:, ZEROS] = size - np.count_nonzero(values, axis=1)
    return rows


def _squares_of(values: Rows) -> Rows:
    """Sums of squares along rows; the BLAS would be three times as fast and not let another thread run."""
    squares: Rows = np.einsum("ij,ij->i", values, values).astype(np.float64)
    return squares


def _mixed(values: Rows, starts: Starts, sizes: Starts, need: Need) -> Rows:
    """The rows of arrays of several sizes: slower an entry, but no call for each of them."""
    rows = np.zeros((len(starts), len(COLUMNS)))
    rows[:, N] = sizes
    rows[:, MEAN] = np.add.reduceat(values, starts) / sizes
    scratch = np.empty_like(values)
    if need.spread:
        center = rows[:, MEAN].astype(values.dtype)
        np.subtract(values, np.repeat(center, sizes), out=scratch)
        off = np.add.reduceat(scratch, starts) / sizes
        rows[:, M2] = np.maximum(_squares(scratch, starts) - sizes * np.square(off.astype(np.float64)), 0.0)
        rows[:, MEAN] = center + off.astype(np.float64)
        rows[:, SQUARE] = rows[:, M2] + sizes * np.square(rows[:, MEAN])
    elif need.square:
        rows[:, SQUARE] = _squares(values, starts)
    if need.extremes:
        rows[:, LOW] = np.minimum.reduceat(values, starts)
        rows[:, HIGH] = np.maximum.reduceat(values, starts)
    if need.abs:
        rows[:, ABS] = np.add.reduceat(np.abs(values, out=scratch), starts)
    if need.zeros:
        rows[:, ZEROS] = np.add.reduceat(values == 0, starts, dtype=np.int64)
    return rows


def _squares(values: Rows, starts: Starts) -> Rows:
    """Sums of squares in float64: in float32 those of vanishing gradients are 0, of exploding ones infinite."""
    wide = values.astype(np.float64)
    np.square(wide, out=wide)
    sums: Rows = np.add.reduceat(wide, starts)
    return sums
