"""What meters are given, as detached tensors; and sums that stay on the device they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError


def on_device(tensor: torch.Tensor) -> bool:
    """Whether reading the tensor would wait for an accelerator."""
    return not tensor.is_cpu


def widest(device: torch.device) -> torch.dtype:
    """The widest floating dtype of a device: float64, but float32 on Apple's GPUs."""
    return torch.float32 if device.type == "mps" else torch.float64


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float32 or float64.

    >>> wide(torch.tensor([1], dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.to(torch.float32)


def as_tensor(value: Any, where: str) -> torch.Tensor:
    """A detached tensor of a tensor (shared), array or list (copied); `where` names the argument in errors.

    >>> as_tensor([[1, 2], [3, 4]], "output").shape
    torch.Size([2, 2])
    >>> as_tensor("x", "MSEMeter.add: output")
    Traceback (most recent call last):
    ...
    flexlogger.errors.ValueRefusedError: MSEMeter.add: output: Expected a tensor, array or list of numbers but got str
    """
    if isinstance(value, torch.Tensor):
        tensor = value.detach() if value.layout == torch.strided else value.detach().to_dense()
    else:
        if isinstance(value, list | tuple) and any(isinstance(entry, torch.Tensor) for entry in value):
            return torch.stack([as_tensor(entry, where) for entry in value])
        try:
            tensor = torch.from_numpy(_native(np.array(value)))
        except (TypeError, ValueError) as error:
            expected = "Expected a tensor, array or list of numbers"
            raise ValueRefusedError(f"{where}: {expected} but got {type(value).__name__}") from error
    if tensor.is_complex():
        raise ValueRefusedError(f"{where}: Expected real numbers but got {tensor.dtype}")
    return tensor


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """In a dtype torch has."""
    if array.dtype.kind == "u" and array.itemsize > 1:
        return array.astype(np.int64)
    if array.dtype.kind == "f" and array.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def together(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both on one device: an accelerator if either is on one."""
    if first.device == second.device:
        return first, second
    home = first.device if on_device(first) else second.device
    return to_device(first, home), to_device(second, home)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on `device`, without waiting for it.

    What comes from the host goes by way of a copy, since the caller may overwrite pinned memory before it is read.
    """
    if tensor.device == device:
        return tensor
    return (tensor if on_device(tensor) else tensor.clone()).to(device, non_blocking=True)


def count(index: torch.Tensor, bins: int) -> torch.Tensor:
    """How often each of 0 … bins - 1 occurs in `index` (int64, all in range), as int64, without waiting for a device.

    >>> count(torch.tensor([0, 2, 2]), 4)
    tensor([1, 0, 2, 0])
    """
    if not on_device(index):
        return torch.bincount(index, minlength=bins)
    zeros = torch.zeros(bins, dtype=torch.int64, device=index.device)
    return zeros.scatter_add_(0, index, torch.ones_like(index))


def shape(tensor: torch.Tensor) -> str:
    """A tensor's shape as people write it.

    >>> shape(torch.zeros(2, 3))
    '(2, 3)'
    """
    return str(tuple(tensor.shape))


class Total:
    """A running sum of tensors of one shape, kept per device, so that a mix of devices needs no wait either.

    Never adds in place: a sum begun under `torch.inference_mode` may go on outside it.

    >>> total = Total()
    >>> total.add(torch.tensor(1.5)); total.add(torch.tensor(2.0)); total.read()
    tensor(3.5000)
    """

    def __init__(self) -> None:
        self._sums: dict[torch.device, torch.Tensor] = {}

    def add(self, part: torch.Tensor) -> None:
        """Add `part`, which may be kept: the caller must not change it."""
        before = self._sums.get(part.device)
        self._sums[part.device] = part if before is None else before + part

    def read(self) -> torch.Tensor:
        """The sum, on an accelerator if any part came from one."""
        parts = sorted(self._sums.values(), key=on_device, reverse=True)
        total = parts[0]
        for part in parts[1:]:
            total = total + to_device(part, total.device)
        return total


def number(tensor: torch.Tensor) -> float | torch.Tensor:
    """A 0-d result as `collect` returns it: a float from the CPU, the tensor itself from an accelerator."""
    return tensor if on_device(tensor) else float(tensor)
