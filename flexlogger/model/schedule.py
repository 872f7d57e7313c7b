"""When a step is collected, and what that costs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean, median, median_low

from flexlogger.errors import ValueRefusedError
from flexlogger.model.agree import Agreement
from flexlogger.model.names import parse_share

SELDOM = 1_000_000
"""Steps between two that are collected, at most, where nobody knows what one costs."""
FIRST_GAP = 5
"""Steps from the first collected one to the second under a budget: enough to know what a step takes without."""


KNOWN = 15
"""Collected steps that tell what one costs."""
NEAR = 9
"""Usual steps that a collected one is set beside: a machine's mood changes within more."""
PAUSE = 10
"""Usual steps that one step may take; what is beyond them is a pause of training: an evaluation, a checkpoint."""


class Cost:
    """What collecting costs, from the lengths of steps with and without it.

    The time spent in our own code is the least it can be; what is more (caches, the allocator, torch's own handling of
    hooks) shows in how much longer a collected step and the one behind it are than the steps around them. Pauses of
    training are no part of it: what may be spent is a share of the steps.
    """

    def __init__(self) -> None:
        self._own: deque[float] = deque(maxlen=KNOWN)
        self._beyond: deque[float] = deque(maxlen=KNOWN)
        self._due: deque[float] = deque(maxlen=KNOWN)
        self._idle: deque[float] = deque(maxlen=51)
        self._behind = False  # whether the last step was a collected one whose `_beyond` waits for the next
        self._owned = self._hid = 0.0
        self._early: list[float] = []  # the first steps, while it is not known which of them held a pause
        self._elapsed = 0.0
        self.steps = 0
        self.collected = 0

    def ended(self, seconds: float, own: float | None) -> None:
        """A step has taken `seconds`, with `own` of them in our code where it was collected."""
        self.steps += 1
        idle = median(self._idle) if len(self._idle) >= 3 else None
        usual = idle if idle is not None else median(self._due) if len(self._due) >= 3 else None
        counted = self._without_pause(seconds, own or 0.0, usual)
        longer = None
        if idle is not None and (self._behind or own is not None):
            longer = counted - median(list(self._idle)[-NEAR:])
        if own is None:
            self._idle.append(seconds)  # whole: they may have become longer for good
            if self._behind and longer is not None:
                self._beyond[-1] += longer
        else:
            self._collect(counted, own, longer)
        self._behind = own is not None and longer is not None

    def _collect(self, seconds: float, own: float, longer: float | None) -> None:
        self.collected += 1
        self._own.append(own)
        self._due.append(seconds)
        if longer is not None:
            self._beyond.append(longer - own)
        self._owned += own
        hidden = self._hidden
        self._hid = self.collected * hidden if self.collected <= KNOWN else self._hid + hidden

    def _without_pause(self, seconds: float, own: float, usual: float | None) -> float:
        """Count a step that took `seconds`; return how many of them are no pause."""
        if usual is None:
            self._early.append(seconds)
            return seconds
        most = PAUSE * usual
        counted = min(seconds, most + own)
        self._elapsed += counted + sum(min(early, most) for early in self._early)
        self._early.clear()
        return counted

    @property
    def elapsed(self) -> float:
        """Seconds that all steps took, without pauses of training."""
        return self._elapsed + sum(self._early)

    @property
    def each(self) -> float:
        """Seconds that one collected step costs."""
        return self._usual_own + self._hidden

    @property
    def _usual_own(self) -> float:
        """Seconds in our own code; the very first time it also asks for the memory that it then keeps."""
        return median_low(self._own) if self._own else 0.0

    @property
    def _hidden(self) -> float:
        """Seconds beyond that, as far as they are known: a difference that may as well be none counts for half."""
        if len(self._beyond) < 5:
            return 0.0
        found, middle, n = max(0.0, _middle(self._beyond)), fmean(self._beyond), len(self._beyond)
        unsure = sum((beyond - middle) ** 2 for beyond in self._beyond) / (n * (n - 1))
        return found**3 / (found**2 + unsure) if found else 0.0

    @property
    def spent(self) -> float:
        """Seconds that all collected steps have cost, each as one did when it was collected: a machine that is busy for
        a while says nothing about those before."""
        return self._owned + (self.collected * self._hidden if self.collected <= KNOWN else self._hid)

    @property
    def step(self) -> float:
        """Seconds of a step without collecting."""
        if self._idle:
            return median(self._idle)
        return max(1e-9, median(self._due) - self.each) if self._due else 0.0

    @property
    def bare(self) -> float:
        """Seconds that all steps so far would have taken without collecting, without pauses of training."""
        return max(1e-9, self.elapsed - self.spent)

    @property
    def share(self) -> float:
        """Time added to the steps so far, as a fraction."""
        return self.spent / self.bare


def _middle(values: Sequence[float]) -> float:
    """The mean without the lowest and the highest: what most cost adds up to, and one that met something else does not
    tell."""
    return fmean(sorted(values)[1:-1])


class Every:
    """Every `k`-th step, from the first on."""

    def __init__(self, k: int) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueRefusedError(f"every: expected an integer of at least 1, but got {k!r}")
        self.k = k
        self.cost = Cost()

    def next(self, step: int, due: bool, broken: bool = False) -> int:
        """The next step to collect, once `step` has ended."""
        return (step // self.k + 1) * self.k


class Budget:
    """As often as `share` of the time of all steps allows, by measured cost. Under torch.distributed rank 0's cost
    decides, and every rank has to take part, also one that is broken and collects no more."""

    def __init__(self, share: float | str) -> None:
        self.budget = parse_share(share)
        self.k = FIRST_GAP
        self.cost = Cost()
        self._next = 0
        self._agree = Agreement()

    def next(self, step: int, due: bool, broken: bool = False) -> int:
        """The next step to collect, once `step` has ended; what was spent too much before is saved first.

        Whether a step was `due` tells its number, the same on all ranks, and not whether it was collected here. Where
        rank 0 is `broken` nobody knows the cost any more, and the others collect half as often each time.
        """
        if due:
            if step:
                self.k = self._agree(min(2 * self.k, SELDOM) if broken else self._gap())
            self._next = step + self.k
        return self._next

    def _gap(self) -> int:
        cost = self.cost
        wanted = (cost.spent + cost.each) / self.budget
        return max(1, math.ceil((wanted - cost.bare) / max(cost.step, 1e-9)))


def schedule(every: int | None, budget: float | str | None) -> Every | Budget:
    """The schedule asked for; every step if nothing is."""
    if every is not None and budget is not None:
        raise ValueRefusedError("every and budget: expected one of them, but got both")
    return Every(1 if every is None else every) if budget is None else Budget(budget)
