"""Rows of moments of many arrays of one size at once, on the thread that trains, while they are in its cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.model.need import Need
from flexlogger.model.statistics import ABS, COLUMNS, HIGH, LOW, M2, MEAN, SQUARE, TINY, ZEROS, N, Rows, exact
from flexlogger.model.sweep import dots

Array = np.ndarray[Any, Any]

CENTERED = 0.1
"""Below this share of the sum of squares, squared deviations are not taken from it by subtraction: float32 has lost a
digit then."""


def quiet() -> np.errstate:
    """No warnings of what is not finite or does not fit: it is found in the rows."""
    return np.errstate(invalid="ignore", over="ignore", under="ignore")


def rows_of(values: Array, need: Need) -> Rows:
    """The rows (K, 9) of K arrays of one size, (K, n) of float32 or float64.

    >>> rows_of(np.array([[3.0, -4.0], [1.0, 1.0]]), Need(spread=True))[:, [N, MEAN, M2]].tolist()
    [[2.0, -0.5, 24.5], [2.0, 1.0, 0.0]]
    """
    rows = np.zeros((len(values), len(COLUMNS)))
    with quiet():
        add_sums(values, need, rows)
    doubtful = settle(rows, need)
    if len(doubtful):
        rows[doubtful] = carefully(values[doubtful], need)
    return rows


def add_sums(values: Array, need: Need, rows: Rows) -> None:
    """Put what one pass over K arrays (K, n) tells into `rows` (K, 9), which are zeros; `settle` makes rows of it.
    numpy is to be `quiet`."""
    size = values.shape[1]
    rows[:, N] = size
    rows[:, MEAN] = dots(values)
    rows[:, SQUARE] = dots(values, values)
    if need.extremes:
        rows[:, LOW], rows[:, HIGH] = values.min(1), values.max(1)  # `out=` of another type is four times slower
    if need.abs:
        rows[:, ABS] = dots(np.abs(values))
    if need.zeros:
        rows[:, ZEROS] = size - np.count_nonzero(values, axis=1)


def settle(rows: Rows, need: Need) -> Array:
    """Finish rows of `add_sums` in place; return the places of those that are to be made `carefully`: what is not
    finite, does not fit into float32, or has lost too many digits."""
    n, square = rows[:, N], rows[:, SQUARE]
    with quiet():
        rows[:, MEAN] /= n
        spread = square - n * np.square(rows[:, MEAN])
        least = np.maximum(CENTERED * square, TINY * n) if need.spread else TINY * n
        fine = ((spread if need.spread else square) >= least) & (spread < np.inf)
    if need.spread:
        rows[:, M2] = spread
    return np.flatnonzero(~fine)


def carefully(values: Array, need: Need) -> Rows:
    """The rows (K, 9) of arrays for which one pass is not enough."""
    wide = values.astype(np.float64)
    rows = np.zeros((len(wide), len(COLUMNS)))
    rows[:, N] = wide.shape[1]
    with quiet():
        rows[:, MEAN] = wide.mean(1)
        if need.spread:
            rows[:, M2] = np.square(wide - rows[:, MEAN, None]).sum(1)
        rows[:, SQUARE] = np.square(wide).sum(1)
        if need.extremes:
            rows[:, LOW], rows[:, HIGH] = wide.min(1), wide.max(1)
        if need.abs:
            rows[:, ABS] = np.abs(wide).sum(1)
        if need.zeros:
            rows[:, ZEROS] = (wide == 0).sum(1)
    for at in np.flatnonzero(~np.isfinite(rows).all(1)):
        rows[at] = exact(wide[at])
    return rows
