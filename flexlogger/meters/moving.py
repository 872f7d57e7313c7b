"""Mean and standard deviation of the latest numbers."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.catalog import METERS
from flexlogger.meters.moments import Moments
from flexlogger.meters.scalar import Number, NumberMeter


class MovingAverageValueMeter(NumberMeter):
    """Mean and standard deviation (n - 1 in the denominator) of the last `windowsize` numbers; `log` does not reset it.

    Computed from the window itself each time, so no error builds up and a NaN is gone once it has left the window.

    >>> meter = MovingAverageValueMeter(windowsize=2)
    >>> for number in (9.0, 1.0, 2.0):
    ...     meter.add(number)
    >>> meter.value()[0]
    1.5
    """

    outputs = METERS["MovingAverageValueMeter"].outputs
    windowed: ClassVar[bool] = True

    def __init__(self, windowsize: int) -> None:
        if isinstance(windowsize, bool) or not isinstance(windowsize, int) or windowsize < 1:
            expected = "MovingAverageValueMeter: windowsize: Expected an integer of at least 1"
            raise ValueRefusedError(f"{expected} but got {windowsize!r:.60}")
        super().__init__()
        self.windowsize = windowsize
        self._window: deque[Number] = deque(maxlen=windowsize)

    def _wait(self, value: torch.Tensor) -> None:
        self.fold()  # what came before stays before
        self._window.append(self._home(value))
        self.count = len(self._window)

    def fold(self) -> None:
        """Move the floats that wait into the window."""
        if self.buffer:
            self._window.extend(self.buffer)
            self.buffer.clear()
            self.count = len(self._window)

    def _clear(self) -> None:
        self._window.clear()

    def _moments(self) -> Moments:
        self.fold()
        here = [number for number in self._window if isinstance(number, float)]
        there = [number for number in self._window if isinstance(number, torch.Tensor)]
        moments = Moments.of_tensor(torch.stack(there)) if there else Moments()
        return moments.merge(Moments.of(here)) if here else moments

    def value(self) -> tuple[float, float]:
        """(mean, std); NaN where there is none: both when empty, std for a single number. Waits for a device."""
        return self._moments().read()

    def collect(self) -> dict[str, Any]:
        """{'': mean}, and from two numbers on '.std'."""
        return self._moments().collect()
