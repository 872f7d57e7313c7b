"""What meters of plain numbers share: reading a number, and gathering those that are on a device without waiting."""

from __future__ import annotations

from typing import Any, SupportsFloat

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import FOLD_AT, ScalarMeter
from flexlogger.meters.tensors import on_device, shape, to_device, widest

Number = float | torch.Tensor
"""A float, or a 0-d tensor on an accelerator."""

STACK_AT = 256
"""This many numbers of a device wait as tensors of their own before they are reduced together."""


def read_number(value: Any, where: str) -> Number:
    """A number out of whatever has one entry; tensors on an accelerator stay there, as an own 0-d copy.

    Raises ValueRefusedError where `value` is no single real number; `where` begins its message.

    >>> read_number(np.float32(0.5), "add"), read_number(torch.tensor([2]), "add")
    (0.5, 2.0)
    """
    if isinstance(value, float | int):
        return float(value)
    if isinstance(value, torch.Tensor):
        if not value.ndim and value.is_floating_point() and not on_device(value):
            return value.item()  # the loss of nearly every loop; the checks below cost as much again
        if value.numel() != 1:
            raise ValueRefusedError(f"{where}: Expected one number but got a tensor of shape {shape(value)}; reduce it")
        if value.is_complex():
            raise ValueRefusedError(f"{where}: Expected a real number but got {value.dtype}")
        value = value.detach()
        return value.reshape(()).to(widest(value.device), copy=True) if on_device(value) else float(value)
    if isinstance(value, np.ndarray) and value.size != 1:
        raise ValueRefusedError(f"{where}: Expected one number but got an array of shape {value.shape}; reduce it")
    entry = value.item() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(entry, SupportsFloat) and not isinstance(entry, str | bytes):
        return float(entry)
    raise ValueRefusedError(f"{where}: Expected a number but got {entry!r:.60}")


class NumberMeter(ScalarMeter):
    """A meter of numbers from anywhere: floats wait in `buffer`, tensors on a device in a list beside it.

    Subclasses reduce both in `_take_floats` and `_take_tensor`, and forget in `_clear`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pending: list[torch.Tensor] = []
        self._device: torch.device | None = None

    def add(self, value: Any) -> None:
        """Take a number, or a tensor or array with one entry."""
        if value.__class__ is not float:
            value = read_number(value, f"{type(self).__name__}.add")
            if isinstance(value, torch.Tensor):
                self._wait(value)
                return
        self.buffer.append(value)
        if len(self.buffer) >= FOLD_AT:
            self.fold()

    def _home(self, value: torch.Tensor) -> torch.Tensor:
        """Bring a number to the device of the first one."""
        self._device = self._device or value.device
        return to_device(value, self._device)

    def _wait(self, value: torch.Tensor) -> None:
        self._pending.append(self._home(value))
        self.count += 1
        if len(self._pending) >= STACK_AT:
            self._stack()

    def _stack(self) -> None:
        stacked = torch.stack(self._pending)
        self._pending.clear()
        self._take_tensor(stacked)

    def fold(self) -> None:
        """Take what waits, floats and tensors, into the state."""
        if self.buffer:
            self.count += len(self.buffer)
            self._take_floats(self.buffer)
            self.buffer.clear()
        if self._pending:
            self._stack()

    def reset(self) -> None:
        """Forget everything."""
        self.buffer.clear()
        self.count = 0
        self._pending.clear()
        self._device = None
        self._clear()

    def _take_floats(self, values: list[float]) -> None:
        raise NotImplementedError

    def _take_tensor(self, values: torch.Tensor) -> None:
        """Take (N,) numbers of a device, N >= 1."""
        raise NotImplementedError

    def _clear(self) -> None:
        raise NotImplementedError
