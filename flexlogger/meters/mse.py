"""Mean squared error."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.catalog import METERS
from flexlogger.meters.scalar import Number
from flexlogger.meters.tensors import Total, as_tensor, number, shape, together, wide, widest


class MSEMeter(BaseMeter):
    """Mean over all entries of (output - target)², with `root` its square root. NaN when empty.

    Differences are taken in float32 or wider and summed in float64 where the device has it.

    >>> meter = MSEMeter(root=True)
    >>> meter.add([1.0, 2.0], [1.0, 4.0])
    >>> meter.add([[0.0]], [[2.0]])
    >>> round(meter.value(), 4)
    1.633
    """

    outputs = METERS["MSEMeter"].outputs
    additive: ClassVar[bool] = True

    def __init__(self, root: bool = False) -> None:
        self.root = root
        self.reset()

    @property
    def empty(self) -> bool:
        return not self._n

    def add(self, output: Any, target: Any) -> None:
        """Take outputs and targets of one shape: tensors, arrays, lists or numbers. Raises ValueRefusedError."""
        left, right = together(as_tensor(output, "MSEMeter.add: output"), as_tensor(target, "MSEMeter.add: target"))
        if left.shape != right.shape:  # broadcasting (N, 1) against (N,) would quietly compare all pairs
            got = f"{shape(left)} and {shape(right)}"
            raise ValueRefusedError(f"MSEMeter.add: Expected output and target of one shape but got {got}")
        if left.numel():
            squares = (wide(left) - wide(right)).square()
            self._sum.add(squares.sum(dtype=widest(squares.device)))
            self._n += left.numel()

    def value(self) -> float:
        """The (root of the) mean squared error. Waits for a device."""
        return float(self._result())

    def collect(self) -> dict[str, Any]:
        """{'': error}, a float or a 0-d tensor on its device."""
        return {"": number(result) if isinstance(result := self._result(), torch.Tensor) else result}

    def state(self) -> torch.Tensor:
        """[sum of squares, count]."""
        total = float(self._sum.read()) if self._n else 0.0
        return torch.tensor([total, self._n], dtype=torch.float64)

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        total, n = states.sum(0)
        return {"": float(self._mean(total, n))}

    def _result(self) -> Number:
        return self._mean(self._sum.read(), self._n) if self._n else math.nan

    def _mean(self, total: torch.Tensor, n: int | torch.Tensor) -> torch.Tensor:
        mean = total / n
        return mean.sqrt() if self.root else mean

    def reset(self) -> None:
        """Forget everything."""
        self._sum = Total()
        self._n = 0
