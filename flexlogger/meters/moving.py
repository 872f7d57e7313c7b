"""Mean and standard deviation of the latest numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.catalog import METERS
from flexlogger.meters.moments import Moments
from flexlogger.meters.scalar import NumberMeter
from flexlogger.meters.tensors import to_device


class MovingAverageValueMeter(NumberMeter):
    """Mean and standard deviation (n - 1 in the denominator) of the last `windowsize` numbers; `log` does not reset it.

    Computed from the window itself each time, so no error builds up and a NaN is gone once it has left the window.
    The window is one array, or from the first number of a device on one tensor there.

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
        self._ring: np.ndarray[Any, Any] | torch.Tensor = np.zeros(windowsize)
        self._next = 0

    def _wait(self, value: torch.Tensor) -> None:
        self.fold()  # what came before stays before
        value = self._home(value)
        if isinstance(self._ring, np.ndarray):
            with torch.inference_mode(False):  # else it could not be written to once that mode is left
                self._ring = to_device(torch.tensor(self._ring, dtype=value.dtype), value.device)
        self._ring[self._next].copy_(value)
        self._moved(1)

    def fold(self) -> None:
        """Move the floats that wait into the window."""
        numbers = self.buffer[-self.windowsize :]
        self.buffer.clear()
        if isinstance(self._ring, np.ndarray):
            room = self.windowsize - self._next
            self._ring[self._next : self._next + len(numbers)] = numbers[:room]
            self._ring[: len(numbers[room:])] = numbers[room:]
        else:
            for offset, number in enumerate(numbers):  # filling needs no memory of the host, so nothing to wait for
                self._ring[(self._next + offset) % self.windowsize].fill_(number)
        self._moved(len(numbers))

    def _moved(self, steps: int) -> None:
        self._next = (self._next + steps) % self.windowsize
        self.count = min(self.count + steps, self.windowsize)

    def _clear(self) -> None:
        self._ring = np.zeros(self.windowsize)
        self._next = 0

    def _moments(self) -> Moments:
        self.fold()
        window = self._ring[: self.count]
        if not self.count:
            return Moments()
        return Moments.of_tensor(window) if isinstance(window, torch.Tensor) else Moments.of_array(window)

    def value(self) -> tuple[float, float]:
        """(mean, std); NaN where there is none: both when empty, std for a single number. Waits for a device."""
        return self._moments().read()

    def collect(self) -> dict[str, Any]:
        """{'': mean}, and from two numbers on '.std'."""
        return self._moments().collect()
