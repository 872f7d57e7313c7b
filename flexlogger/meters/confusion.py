"""Confusion matrix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.catalog import declared_outputs
from flexlogger.meters.tensors import Total, as_tensor, count, on_device, shape, together


class ConfusionMeter(BaseMeter):
    """Confusion matrix of `k` classes: row = truth, column = prediction. `normalized` divides each row by its sum.

    Classes outside 0 … k - 1 are refused at `add`; on an accelerator, where looking would make it wait, they are left
    out of what is logged and refused at `value`.

    >>> meter = ConfusionMeter(k=2)
    >>> meter.add([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [0, 1, 1])
    >>> meter.value()
    array([[1, 0],
           [1, 1]])
    """

    additive: ClassVar[bool] = True

    def __init__(self, k: int, normalized: bool = False) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueRefusedError(f"ConfusionMeter: k: Expected an integer of at least 1 but got {k!r:.60}")
        self.k = k
        self.normalized = normalized
        self.outputs = declared_outputs("ConfusionMeter", {"k": k})
        self.reset()

    @property
    def empty(self) -> bool:
        return not self._n

    def add(self, predicted: Any, target: Any) -> None:
        """Take scores (N, k) or classes (N,), and true classes (N,) or one-hot rows (N, k), or of pixels scores
        (N, k, …) and true classes (N, …). Raises ValueRefusedError."""
        scores, truth = together(
            _at_least_1d(as_tensor(predicted, "ConfusionMeter.add: predicted")),
            _at_least_1d(as_tensor(target, "ConfusionMeter.add: target")),
        )
        if scores.dim() > 2 and scores.shape[1] == self.k and scores.shape[:1] + scores.shape[2:] == truth.shape:
            scores, truth = scores.argmax(1).reshape(-1), truth.reshape(-1)
        if len(scores) != len(truth):
            raise ValueRefusedError(
                f"ConfusionMeter.add: Expected as many predictions as targets but got {len(scores)} and {len(truth)}"
            )
        columns, column_fault = self._classes(scores, "predicted")
        rows, row_fault = self._classes(truth, "target", one_hot=True)
        outside = column_fault | row_fault
        index = torch.where(outside, self.k * self.k, rows * self.k + columns)  # the last place gathers those outside
        self._counts.add(count(index, self.k * self.k + 1))
        self._n += len(scores)

    def _classes(self, given: torch.Tensor, what: str, one_hot: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """(N,) classes, and where they are none of the k."""
        where = f"ConfusionMeter.add: {what}"
        if given.dim() == 2 and given.shape[1] == self.k:
            bad = torch.zeros(len(given), dtype=torch.bool, device=given.device)
            if one_hot:
                bad = ((given != 0) & (given != 1)).any(1) | (given.sum(1) != 1)
                _refuse_here(bad, where, "one-hot rows of a single 1")
            return given.argmax(1), bad
        if given.dim() != 1:
            raise ValueRefusedError(f"{where}: Expected shape (N, {self.k}) or (N,) but got {shape(given)}")
        whole = given == given.floor() if given.is_floating_point() else True  # a probability is no class
        bad = ~((given >= 0) & (given < self.k) & whole)  # so that NaN is outside
        _refuse_here(bad, where, f"classes from 0 to {self.k - 1}")
        return given.nan_to_num(0).clamp(0, self.k - 1).to(torch.int64), bad

    def value(self) -> np.ndarray[Any, Any]:
        """(k, k): int64 counts, or with `normalized` float32 rows that sum to 1 (0 for a class that never came).

        Waits for a device. Raises ValueRefusedError where classes out of range were added on one.
        """
        counts = self._all().cpu()
        if counts[-1]:
            classes = f"classes from 0 to {self.k - 1}"
            raise ValueRefusedError(f"ConfusionMeter: Expected {classes} but got {int(counts[-1])} samples outside")
        return self._matrix(counts).numpy()

    def collect(self) -> dict[str, Any]:
        """{'': matrix}, on its device."""
        return {"": Payload("matrix", self._matrix(self._all()))}

    def state(self) -> torch.Tensor:
        """[counts of each cell, of what is outside, count]."""
        return torch.cat([self._all().cpu().double(), torch.tensor([float(self._n)], dtype=torch.float64)])

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        return {"": Payload("matrix", self._matrix(states.sum(0)[:-1].to(torch.int64)))}

    def _all(self) -> torch.Tensor:
        return self._counts.read() if self._n else torch.zeros(self.k * self.k + 1, dtype=torch.int64)

    def _matrix(self, counts: torch.Tensor) -> torch.Tensor:
        matrix = counts[:-1].reshape(self.k, self.k)
        if not self.normalized:
            return matrix.clone()
        return matrix.to(torch.float32) / matrix.sum(1, keepdim=True).clamp(min=1)

    def reset(self) -> None:
        """Forget everything."""
        self._counts = Total()
        self._n = 0


def _at_least_1d(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dim() else tensor[None]


def _refuse_here(bad: torch.Tensor, where: str, expected: str) -> None:
    """Refuse at once where looking costs no wait."""
    if not on_device(bad) and bool(bad.any()):
        raise ValueRefusedError(f"{where}: Expected {expected} but sample {int(bad.nonzero()[0])} is not")
