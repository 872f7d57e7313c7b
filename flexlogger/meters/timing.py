"""Meters that look at a clock. `clock` gives seconds; tests pass their own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.catalog import METERS
from flexlogger.meters.extremes import SumMeter
from flexlogger.meters.scalar import Number

Clock = Callable[[], float]


class _Timed(SumMeter):
    """An amount of work and the seconds it took, from construction or the last reset on."""

    single: ClassVar[bool] = False

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._start = clock()

    def add(self, value: Any = 1.0) -> None:
        """Count an amount of work."""
        super().add(value)

    def reset(self) -> None:
        """Forget the amount and start the clock anew."""
        if self.count:
            super().reset()
        else:
            self.buffer.clear()
        self._start = self._clock()

    def _seconds(self) -> float:
        return self._clock() - self._start

    def _work(self) -> Number:
        if len(self.buffer) == 1 and not self.count:
            return self.buffer[0]
        return super()._result()

    def _result(self) -> Number:
        raise NotImplementedError


class TimeMeter(_Timed):
    """Seconds since the last reset; with `unit`, per unit of work added (NaN before any).

    A clock has something to tell without `add`, so `log` records it each time, unless `unit` is set and nothing added.

    >>> ticks = iter([0.0, 6.0, 6.0])
    >>> meter = TimeMeter(unit=True, clock=lambda: next(ticks))
    >>> meter.add()
    >>> meter.add(2)
    >>> meter.value()
    2.0
    """

    outputs = METERS["TimeMeter"].outputs

    def __init__(self, unit: bool | None = False, *, clock: Clock = time.perf_counter) -> None:
        super().__init__(clock)
        self.unit = bool(unit)

    @property
    def empty(self) -> bool:
        return self.unit and not self.buffer and not self.count

    def _result(self) -> Number:
        return _ratio(self._seconds(), self._work()) if self.unit else self._seconds()


class RateMeter(_Timed):
    """Amount added per second since the last reset; NaN where the clock stands still.

    >>> ticks = iter([0.0, 4.0])
    >>> meter = RateMeter(clock=lambda: next(ticks))
    >>> meter.add(64)
    >>> meter.add(64)
    >>> meter.value()
    32.0
    """

    outputs = METERS["RateMeter"].outputs

    def __init__(self, *, clock: Clock = time.perf_counter) -> None:
        super().__init__(clock)

    def _result(self) -> Number:
        return _ratio(self._work(), self._seconds())


class ETAMeter(_Timed):
    """Seconds left until `total` is done, at the mean pace since construction or `reset`; `log` does not reset it.

    NaN before anything is done, 0 from `total` on.

    >>> ticks = iter([0.0, 10.0])
    >>> meter = ETAMeter(total=100, clock=lambda: next(ticks))
    >>> meter.add(25)
    >>> meter.value()
    30.0
    """

    outputs = METERS["ETAMeter"].outputs
    windowed: ClassVar[bool] = True

    def __init__(self, total: float, *, clock: Clock = time.perf_counter) -> None:
        if isinstance(total, bool) or not isinstance(total, int | float) or not 0 < total < math.inf:
            raise ValueRefusedError(f"ETAMeter: total: Expected a finite number above 0 but got {total!r:.60}")
        super().__init__(clock)
        self.total = total

    def _result(self) -> Number:
        done = self._work()
        left = (self.total - done).clamp(min=0) if isinstance(done, torch.Tensor) else max(self.total - done, 0.0)
        return _ratio(self._seconds() * left, done)


def _ratio(above: Number, below: Number) -> Number:
    """`above` / `below`, NaN where `below` is 0."""
    if isinstance(below, torch.Tensor):
        return torch.where(below == 0, math.nan, above / below)
    return above / below if below else above * math.nan
