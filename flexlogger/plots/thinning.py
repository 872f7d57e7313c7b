"""Which points of a series may go: every bucket of x keeps its first, last, lowest and highest.

Buckets are 2**level wide and start at multiples of it, so a bucket of one level is exactly two of the level below.
That is why thinning what was thinned before, at the same or a higher level, gives what thinning everything at once
would have given: extremes stay the true ones however often it is done. The rule for one bucket per pixel column is M4
(Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

TOP = 1100
"""The level at which everything is one bucket (doubles end near 2**1024)."""
LOWEST = -1200
_NOT_POSITIVE = -2048.0  # stands for log2 of zero and below; no double's logarithm is that low


def along(xs: Floats, log: bool) -> Floats:
    """Where `xs` lie along the axis, in the unit that buckets are even in: x itself, or log2(x)."""
    if not log:
        return xs
    places = np.full(len(xs), _NOT_POSITIVE)
    return np.log2(xs, out=places, where=xs > 0)


def bucket(places: Floats, level: int) -> Floats:
    """Return the number of the bucket of each place: floor(place / 2**level), exactly.

    >>> bucket(np.array([-1.0, 0.0, 3.9, 4.0]), 2).tolist()
    [-1.0, 0.0, 0.0, 1.0]
    """
    if level >= TOP:
        return np.zeros(len(places))
    numbers = np.floor(np.ldexp(places, -level))
    numbers[(numbers == 0) & (places < 0)] = -1  # a tiny negative place has underflown to -0.0
    return numbers


def extremes(buckets: NDArray[np.float64], ys: Floats) -> Indices:
    """Return the ascending indices of the first, last, leftmost lowest and leftmost highest of each run of `buckets`.

    >>> extremes(np.zeros(5), np.array([1.0, 5.0, 2.0, 0.0, 3.0])).tolist()
    [0, 1, 3, 4]
    """
    if not len(ys):
        return np.zeros(0, np.intp)
    changes = buckets[1:] != buckets[:-1]
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    run = np.concatenate(([0], np.cumsum(changes)))
    keep = np.zeros(len(ys), bool)
    keep[starts] = True
    keep[starts[1:] - 1] = True
    keep[-1] = True
    for extreme in (np.minimum, np.maximum):
        at = np.flatnonzero(ys == extreme.reduceat(ys, starts)[run])
        runs = run[at]
        keep[at[np.concatenate(([True], runs[1:] != runs[:-1]))]] = True
    return np.flatnonzero(keep)


def finest(places: Floats) -> int:
    """Return the lowest level at which dividing by 2**level is exact for all `places`."""
    largest = float(np.max(np.abs(places)))
    return max(LOWEST, int(np.frexp(largest)[1]) - 53)


def thin(places: Floats, ys: Floats, limit: int, level: int) -> tuple[Indices, int, int]:
    """Choose at most `limit` points at the lowest level that is no lower than `level`.

    `places` ascend, `limit` is at least 4. Returns the chosen indices, their level, and how often it looked at all
    points. The count of points falls with the level, so a gallop and a bisection find it; they begin where four points
    in each of evenly filled buckets are about as many as there may be.
    """
    low = max(level, finest(places))
    span = float(places[-1]) / limit - float(places[0]) / limit
    at = min(max(low, int(np.frexp(span)[1]) + 2), TOP)
    too_low, fits, chosen = low - 1, TOP + 1, np.zeros(0, np.intp)
    looks, stride = 0, 1
    while fits - too_low > 1:
        tried, looks = extremes(bucket(places, at), ys), looks + 1
        if len(tried) <= limit:
            fits, chosen = at, tried
        else:
            too_low = at
        middle = (too_low + fits) // 2
        at = min(too_low + stride, middle) if fits > TOP else max(fits - stride, middle)
        stride *= 2
    return chosen, fits, looks
