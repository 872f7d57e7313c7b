"""What training takes longer with a logger than without, from the times of its steps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from statistics import mean, median, quantiles
from typing import Any, NamedTuple

from bench.figures import Spread
from bench.session import Rounds

FEW = 5
"""Rounds of which all are told by the lowest and the highest; of more by the middle half."""
NEAR = 4
"""Steps without collecting, before and after one with it, that it is set beside."""


def beside_bare(rounds: Rounds) -> list[list[float]]:
    """The steps of each watched block relative to the bare ones around it."""
    bare = [median(r["times"]) for r in rounds["bare"]]
    around = [(before + after) / 2 for before, after in pairwise(bare)]
    return [[t / base for t in r["times"]] for r, base in zip(rounds["watched"], around, strict=True)]


class Added(NamedTuple):
    """Percent added to training: round by round or, of steps that are due among others, one by one."""

    each: list[float]

    @property
    def middle(self) -> float:
        return median(self.each)

    def __str__(self) -> str:
        """The lowest, the middle and the highest; of many the middle half instead."""
        if len(self.each) <= FEW:
            return str(Spread.of(self.each))
        low, _, high = quantiles(self.each, n=4)
        return str(Spread(low, self.middle, high))


def added_by(rounds: Rounds, alone: bool) -> Added:
    """What a logger adds: beside bare blocks or, `alone`, by the steps that are due beside those that are not."""
    if alone:
        every = rounds["watched"][-1]["every"]
        return Added([100 * longer / every for longer in longer_when_due(rounds)] or [math.nan])
    periods = [_by_place(times, r) for times, r in zip(beside_bare(rounds), rounds["watched"], strict=True)]
    return Added([_percent(period) for period in periods])


def longer_when_due(rounds: Rounds) -> list[float]:
    """How much longer each step that was due and the one behind it took, in steps like those around them.

    >>> times, due = [5.0, 5.0, 6.0, 5.5, 5.0, 5.0], [False, False, True, False, False, False]
    >>> longer_when_due({"watched": [{"times": times, "due": due}]})
    [0.3]
    """
    found = []
    for r in rounds["watched"]:
        times, due = r["times"], r["due"]
        idle = [not (now or before) for now, before in zip(due, [True, *due], strict=False)]
        for at in [at for at in range(1, len(times) - 1) if due[at] and not due[at + 1]]:
            before = [times[i] for i in range(at) if idle[i]][-NEAR:]
            after = [times[i] for i in range(at, len(times)) if idle[i]][:NEAR]
            if before and after:
                usual = median(before + after)
                found.append((times[at] + times[at + 1] - 2 * usual) / usual)
    return found


def by_the_clock(rounds: Rounds) -> float:
    """Percent that whole blocks took longer, with everything that happened meanwhile."""
    relative = beside_bare(rounds)
    return (sum(map(sum, relative)) / sum(map(len, relative)) - 1) * 100


def _by_place(times: list[float], measured: dict[str, Any]) -> dict[int, list[float]]:
    """Steps by their place in the period, of which the step that is due is the first."""
    due = measured["due"]
    period = measured.get("every", 1) if any(due) else 1
    places: dict[int, list[float]] = defaultdict(list)
    for at, time in enumerate(times):
        places[(at - due.index(True)) % period if any(due) else 0].append(time)
    return places


def _percent(places: Mapping[int, list[float]]) -> float:
    return (mean(median(times) for times in places.values()) - 1) * 100


def share_added(rounds: Rounds) -> float:
    """Percent of training time that is added by the steps which are due; the longest and the shortest tenth of them,
    which met something else, are taken for the mean of the others."""
    longer = sorted(longer_when_due(rounds))
    cut = len(longer) // 10
    each = mean(longer[cut : len(longer) - cut]) if longer else math.nan
    due = sum(sum(r["due"]) for r in rounds["watched"])
    return 100 * each * due / sum(len(r["due"]) for r in rounds["watched"])
