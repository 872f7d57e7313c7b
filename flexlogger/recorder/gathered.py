"""What was returned within a block, by name, and what becomes of it at the block's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError

_SINGLES = (torch.float32, torch.float16, torch.bfloat16)

Aggregation = Callable[[Sequence[Any]], Any]
"""Makes one value of those that were returned, which come as a list in the order of the calls."""


class Gathered:
    """The values of one name."""

    def __init__(self, name: str, agg: Aggregation | None) -> None:
        self._name = name
        self._agg = agg
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Take a value. Raises ValueRefusedError for one that needs an aggregation and has none."""
        if self._agg is None and not _is_number(value):
            raise ValueRefusedError(
                f"recorder: {self._name!r}: expected a number or a 0-d tensor, but got {type(value).__name__}; say "
                f"what becomes of such values, as in metric({self._name!r}, torch_mean)"
            )
        self._values.append(_own(value))

    def result(self) -> Any:
        """What the aggregation makes of all values; their mean without one."""
        if self._agg is None:
            return _mean(self._values)
        try:
            return self._agg(self._values)
        except Exception as error:
            error.add_note(f"while the recorder aggregated {len(self._values)} values of {self._name!r}")
            raise


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.ndim == 0 and not value.is_complex()
    return isinstance(value, int | float | np.number | np.bool_) or (isinstance(value, np.ndarray) and value.ndim == 0)


def _own(value: Any) -> Any:
    """A value that whoever returned it cannot change, without its graph."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(_own(entry) for entry in value)
    if isinstance(value, Mapping):
        return {key: _own(entry) for key, entry in value.items()}
    return value


def _mean(values: Sequence[Any]) -> Any:
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    if not tensors:
        return sum(map(float, values)) / len(values)
    device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), tensors[0].device)
    precise = device.type != "mps" and not all(tensor.dtype in _SINGLES for tensor in tensors)  # mps has no doubles
    dtype = torch.float64 if precise else torch.float32
    with torch.no_grad():
        return torch.stack([torch.as_tensor(value, dtype=dtype, device=device) for value in values]).mean()
