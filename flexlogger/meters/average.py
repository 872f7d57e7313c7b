"""Mean and standard deviation."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import FOLD_AT
from flexlogger.meters.catalog import METERS
from flexlogger.meters.moments import Moments
from flexlogger.meters.scalar import NumberMeter, read_number


class AverageValueMeter(NumberMeter):
    """Mean of what was added since the last reset, and its standard deviation (n - 1 in the denominator).

    Two-pass moments of each buffer, merged as in Chan, Golub & LeVeque 1979 (a single number at a time, that is
    Welford 1962).

    >>> meter = AverageValueMeter()
    >>> meter.add(1.0)
    >>> meter.add(2.0, n=3)
    >>> meter.value()
    (1.75, 0.5)
    """

    outputs = METERS["AverageValueMeter"].outputs
    single: ClassVar[bool] = True
    additive: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._here = Moments()
        self._there = Moments()

    def add(self, value: Any, n: int = 1) -> None:
        """Take a number; with `n`, that many samples whose mean it is. Raises ValueRefusedError for n below 1."""
        if n.__class__ is int and n == 1:
            if value.__class__ is float:
                self.buffer.append(value)
                if len(self.buffer) >= FOLD_AT:
                    self.fold()
            else:
                super().add(value)
        else:
            self._add_several(value, _count(n))

    def _add_several(self, value: Any, n: int) -> None:
        number = read_number(value, "AverageValueMeter.add")
        self.count += n
        if isinstance(number, torch.Tensor):
            number = self._home(number)
            self._there = self._there.merge(Moments(n, number, torch.zeros_like(number)))
        else:
            self._here = self._here.merge(Moments(n, number, 0.0))

    def _take_floats(self, values: list[float]) -> None:
        self._here = self._here.merge(Moments.of(values))

    def _take_tensor(self, values: torch.Tensor) -> None:
        self._there = self._there.merge(Moments.of_tensor(values))

    def _clear(self) -> None:
        self._here = self._there = Moments()

    def _moments(self) -> Moments:
        self.fold()
        return self._there.merge(self._here)

    def value(self) -> tuple[float, float]:
        """(mean, std); NaN where there is none: both when empty, std for a single number. Waits for a device."""
        return self._moments().read()

    def collect(self) -> dict[str, Any]:
        """{'': mean}, and from two numbers on '.std'."""
        return self._moments().collect()

    def state(self) -> torch.Tensor:
        """[mean, squared deviations, count]."""
        found = self._moments()
        return torch.tensor([float(found.mean), float(found.m2), found.n], dtype=torch.float64)

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        ranks = [Moments(int(n), mean, m2) for mean, m2, n in states.tolist()]
        return reduce(Moments.merge, ranks).collect()


def _count(n: Any) -> int:
    try:
        if isinstance(n, bool) or operator.index(n) < 1:
            raise TypeError
        return operator.index(n)
    except TypeError:
        expected = "AverageValueMeter.add: n: Expected an integer count of at least 1"
        raise ValueRefusedError(f"{expected} but got {n!r:.60}; add several values one by one") from None
