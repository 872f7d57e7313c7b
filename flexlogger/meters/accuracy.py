"""Accuracy as a fraction."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.catalog import METERS
from flexlogger.meters.tensors import Total, as_tensor, number, on_device, shape, together, widest

FEW = 512
"""Up to so many predictions are counted quicker in a list than by a reduction."""


class AccuracyMeter(BaseMeter):
    """Fraction of right predictions, in [0, 1]; NaN when empty.

    >>> meter = AccuracyMeter()
    >>> meter.add([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    >>> meter.add([1, 0], [1, 0])
    >>> meter.value()
    0.75
    """

    outputs = METERS["AccuracyMeter"].outputs
    additive: ClassVar[bool] = True

    def __init__(self) -> None:
        self._there = Total()
        self._waiting = False
        self.reset()

    @property
    def empty(self) -> bool:
        return not self._n

    def add(self, output: Any, target: Any) -> None:
        """Take (N, K, …) scores or (N, …) whole-number classes, and (N, …) true classes. Raises ValueRefusedError."""
        right = _plainly_right(output, target)
        if right is None:
            right = _right(output, target)
        elif len(right) <= FEW and not on_device(right):
            self._here += sum(right.tolist())
            self._n += len(right)
            return
        if right.numel():
            hits = right.sum()
            if on_device(hits):
                self._there.add(hits)
                self._waiting = True
            else:
                self._here += int(hits)
            self._n += right.numel()

    def value(self) -> float:
        """The fraction. Waits for a device."""
        return float(self._fraction())

    def collect(self) -> dict[str, Any]:
        """{'': fraction}, a float or a 0-d tensor on its device."""
        fraction = self._fraction()
        return {"": number(fraction) if isinstance(fraction, torch.Tensor) else fraction}

    def state(self) -> torch.Tensor:
        """[hits, count]."""
        hits = self._here + (float(self._there.read()) if self._waiting else 0.0)
        return torch.tensor([hits, self._n], dtype=torch.float64)

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        hits, n = states.sum(0)
        return {"": float(hits / n)}

    def _fraction(self) -> float | torch.Tensor:
        if not self._n:
            return math.nan
        if not self._waiting:
            return self._here / self._n
        hits = self._there.read()
        return (hits.to(widest(hits.device)) + self._here) / self._n

    def reset(self) -> None:
        """Forget everything."""
        self._here = 0  # hits counted on the CPU: a number costs less than a tensor of one
        if self._waiting:
            self._there, self._waiting = Total(), False
        self._n = 0


def _plainly_right(scores: Any, truth: Any) -> torch.Tensor | None:
    """Ones where (N, K) scores are right about (N,) classes, as nearly every loop has them; None for anything else.

    Between two steps of a training each question to a tensor takes a microsecond and each new kernel ten: what torch
    itself would refuse is not asked here, and the classes found are compared where they lie.
    """
    if scores.__class__ is truth.__class__ is torch.Tensor:
        n_by_k = scores.shape
        if len(n_by_k) == 2 and n_by_k[1] > 1 and truth.shape == n_by_k[:1] and not truth.is_complex():
            try:
                return scores.argmax(1).eq_(truth)
            except RuntimeError:  # of two devices, sparse, complex
                return None
    return None


def _right(output: Any, target: Any) -> torch.Tensor:
    """Where the prediction is right."""
    given, truth = together(
        as_tensor(output, "AccuracyMeter.add: output"), as_tensor(target, "AccuracyMeter.add: target")
    )
    return _classes(given, truth) == truth


def _classes(given: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """What was predicted, in the shape of the truth."""
    if given.dim() == truth.dim() + 1 and given.dim() >= 2 and given.shape[:1] + given.shape[2:] == truth.shape:
        if given.shape[1] < 2:
            got = f"{shape(given)}; compare one score with its threshold first: output > 0"
            raise ValueRefusedError(f"AccuracyMeter.add: Expected scores of at least 2 classes but got {got}")
        return given.argmax(1)
    if given.shape != truth.shape:
        got = f"{shape(given)} for targets of shape {shape(truth)}"
        raise ValueRefusedError(f"AccuracyMeter.add: Expected output of shape (N, K, …) or the targets' but got {got}")
    if given.is_floating_point():
        got = f"{given.dtype} in the targets' shape {shape(given)}; compare scores with their threshold: output > 0"
        raise ValueRefusedError(f"AccuracyMeter.add: Expected class indices but got {got}")
    return given
