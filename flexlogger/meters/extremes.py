"""The smallest, the largest, and the sum of numbers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from flexlogger.meters.catalog import METERS
from flexlogger.meters.scalar import Number, NumberMeter


class _Reduced(NumberMeter):
    """One number kept of all, by a reduction that does not mind in which groups it is made."""

    single: ClassVar[bool] = True
    additive: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._here: float | None = None
        self._there: torch.Tensor | None = None

    def _take_floats(self, values: list[float]) -> None:
        self._here = self._reduce(values if self._here is None else [self._here, *values])

    def _take_tensor(self, values: torch.Tensor) -> None:
        self._there = self._reduce_tensor(values if self._there is None else torch.cat([self._there[None], values]))

    def _clear(self) -> None:
        self._here = self._there = None

    def _result(self) -> Number:
        """The reduced number; NaN when empty."""
        self.fold()
        if self._there is None:
            return math.nan if self._here is None else self._here
        if self._here is None:
            return self._there
        return self._reduce_tensor(torch.stack([self._there, torch.full_like(self._there, self._here)]))

    def value(self) -> float:
        """The number; NaN when empty. Waits for a device."""
        return float(self._result())

    def collect(self) -> dict[str, Any]:
        """{'': number}, a float or a 0-d tensor on its device."""
        return {"": self._result()}

    def state(self) -> torch.Tensor:
        """[number, 1], or zeros."""
        return torch.tensor([0.0, 0.0] if self.empty else [float(self._result()), 1.0], dtype=torch.float64)

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        return {"": self._reduce([number for number, count in states.tolist() if count])}

    def _reduce(self, values: list[float]) -> float:
        raise NotImplementedError

    def _reduce_tensor(self, values: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class MinMeter(_Reduced):
    """Smallest of what was added since the last reset; NaN as soon as one is NaN.

    >>> meter = MinMeter()
    >>> for number in (3.0, 1.0, 2.0):
    ...     meter.add(number)
    >>> meter.value()
    1.0
    """

    outputs = METERS["MinMeter"].outputs

    def _reduce(self, values: list[float]) -> float:
        return math.nan if any(map(math.isnan, values)) else min(values)

    def _reduce_tensor(self, values: torch.Tensor) -> torch.Tensor:
        return values.amin()


class MaxMeter(_Reduced):
    """Largest of what was added since the last reset; NaN as soon as one is NaN.

    >>> meter = MaxMeter()
    >>> for number in (1.0, 3.0, 2.0):
    ...     meter.add(number)
    >>> meter.value()
    3.0
    """

    outputs = METERS["MaxMeter"].outputs

    def _reduce(self, values: list[float]) -> float:
        return math.nan if any(map(math.isnan, values)) else max(values)

    def _reduce_tensor(self, values: torch.Tensor) -> torch.Tensor:
        return values.amax()


class SumMeter(_Reduced):
    """Sum of what was added since the last reset; each group of floats is rounded once (math.fsum). 0 when empty.

    >>> meter = SumMeter()
    >>> for number in (1e16, 1.0, -1e16):
    ...     meter.add(number)
    >>> meter.value()
    1.0
    """

    outputs = METERS["SumMeter"].outputs

    def _reduce(self, values: list[float]) -> float:
        try:
            return math.fsum(values)
        except (OverflowError, ValueError):  # beyond the largest float, or infinity less infinity
            return sum(values)

    def _reduce_tensor(self, values: torch.Tensor) -> torch.Tensor:
        return values.sum()

    def _result(self) -> Number:
        return 0.0 if self.empty else super()._result()
