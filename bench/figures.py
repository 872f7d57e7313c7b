"""The arithmetic of measurements: percentiles, spreads of repeated rounds, exponents. Standard library only, so that
workers in any environment can use it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """What repeated rounds gave: the lowest, the middle and the highest."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """
        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(low=1.0, middle=2.0, high=3.0)
        """
        return cls(min(figures), median(figures), max(figures))

    def __str__(self) -> str:
        """
        >>> str(Spread(1.0, 2.0, 3.0)), str(Spread(2.0, 2.0, 2.0))
        ('1.00–2.00–3.00', '2.00')
        """
        shown = list(map(short, self))
        return shown[0] if len(set(shown)) == 1 else "–".join(shown)


def short(figure: float) -> str:
    """A figure with the digits that mean something.

    >>> [short(f) for f in (0.01234, 1.2345, 12.345, 123.45, 12345.6, float("nan"))]
    ['0.012', '1.23', '12.3', '123', '12,346', '–']
    """
    if not math.isfinite(figure):
        return "–"
    size = abs(figure)
    if size >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if size >= 10 else f"{figure:.2f}" if size >= 0.1 else f"{figure:.2g}"


def shown_middle(cell: str) -> float | None:
    """The figure that a cell of a table shows, the middle one of three; None where there is none.

    >>> [shown_middle(cell) for cell in ("1.00–2.00–3.00", "-2.5–-1–1,234", "1,234", "0.81 (23 of 600)", "–", "")]
    [2.0, -1.0, 1234.0, 0.81, None, None]
    """
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", cell.partition(" (")[0])
    return float(found[len(found) // 2].replace(",", "")) if found else None


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest figure that at least `share` of the ascending figures do not exceed (nearest rank).

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ratios(figures: Sequence[float], beside: Sequence[float]) -> Spread:
    """Round by round, how many times `beside` the figures are: rounds that ran side by side share the machine's mood.

    >>> ratios([2.0, 6.0], [1.0, 2.0])
    Spread(low=2.0, middle=2.5, high=3.0)
    """
    return Spread.of([figure / other for figure, other in zip(figures, beside, strict=True)])


def at_most(figures: Sequence[float], limit: float) -> bool | None:
    """Whether what was measured again and again is at most `limit`; None where these rounds cannot tell.

    The one-sided sign test: if the true median were the limit, a round would be above it as often as below. To be as
    lopsided to that side as it was must then have a chance of at most 5 %.

    >>> at_most([0.8, 0.9, 0.7, 0.9, 0.8], 1.0), at_most([0.8, 0.9, 1.7, 0.9, 0.8], 1.0)
    (True, None)
    """
    below = sum(figure <= limit for figure in figures)
    fewer = min(below, len(figures) - below)
    chance = sum(math.comb(len(figures), count) for count in range(fewer + 1)) / 2 ** len(figures)
    return below > fewer if chance <= 0.05 else None


def exponent(costs: Mapping[int, float]) -> float:
    """How cost grows with size: the slope of log(cost) over log(size), by least squares.

    >>> round(exponent({10: 3.0, 100: 300.0, 1000: 30000.0}), 3)
    2.0
    """
    xs = [math.log(size) for size in costs]
    ys = [math.log(cost) for cost in costs.values()]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    across = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / across
