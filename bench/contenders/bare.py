"""The bare loop: five additions into plain Python objects, one dict, one append. What logging cannot do without."""

from __future__ import annotations

from collections import deque

from bench.contenders.stepper import Stepper
from bench.stepping import NAMES, Values


class Total:
    """A sum and a count."""

    def __init__(self) -> None:
        self.sum = 0.0
        self.n = 0

    def add(self, value: float) -> None:
        self.sum += value
        self.n += 1


class Contender(Stepper):
    def __init__(self) -> None:
        super().__init__()
        totals = {name: Total() for name in NAMES}
        queue: deque[dict[str, float]] = deque()

        def step(i: int, values: Values) -> None:
            for name, value in values.items():
                totals[name].add(value)
            queue.append({name: total.sum for name, total in totals.items()})

        self.step = step  # type: ignore[method-assign]  # closures: nothing to look up
        self.settle = queue.clear  # type: ignore[method-assign]
