"""Area under the ROC curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.catalog import METERS
from flexlogger.meters.kept import Kept
from flexlogger.meters.tensors import as_tensor, number, on_device, shape, together, widest

CURVE_POINTS = 1000
"""A logged curve has at most this many points, evenly spread over the samples; `value` has them all."""


class AUCMeter(BaseMeter):
    """Area under the ROC curve of a binary classifier, and the curve itself (Fawcett 2006, algorithms 1 and 3).

    Samples of one score are one straight segment of the curve, so that their order does not matter. The area is NaN
    while one class is missing, and where a score is NaN. Scores and targets are kept until the reset.

    >>> meter = AUCMeter()
    >>> meter.add([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0])
    >>> area, tpr, fpr = meter.value()
    >>> area, tpr.tolist(), fpr.tolist()
    (0.75, [0.0, 0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5, 1.0])
    """

    outputs = METERS["AUCMeter"].outputs

    def __init__(self) -> None:
        self.reset()

    @property
    def empty(self) -> bool:
        return not len(self._scores)

    def add(self, output: Any, target: Any) -> None:
        """Take (N,) scores and (N,) targets of 0 and 1 (not looked at on an accelerator). Raises ValueRefusedError."""
        scores, truth = together(
            _flat(as_tensor(output, "AUCMeter.add: output"), "output"),
            _flat(as_tensor(target, "AUCMeter.add: target"), "target"),
        )
        if len(scores) != len(truth):
            got = f"{len(scores)} and {len(truth)}"
            raise ValueRefusedError(f"AUCMeter.add: Expected as many outputs as targets but got {got}")
        if not on_device(truth) and not bool(((truth == 0) | (truth == 1)).all()):
            raise ValueRefusedError("AUCMeter.add: target: Expected only 0 and 1 but got other values")
        if len(scores):
            self._scores.add(scores.to(widest(scores.device)))
            self._truth.add(truth.to(widest(truth.device)))

    def value(self) -> tuple[float, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(area, true positive rates, false positive rates), the latter float64 of N + 1. Waits for a device."""
        if self.empty:
            return math.nan, np.array([math.nan]), np.array([math.nan])
        area, rates = self._curve()
        fpr, tpr = rates.cpu().double().numpy()
        return float(area), tpr, fpr

    def collect(self) -> dict[str, Any]:
        """{'': area, '.curve': (2, up to 1000) false and true positive rates}, on their device."""
        area, rates = self._curve()
        points = rates.shape[1]
        if points > CURVE_POINTS:
            steps = torch.arange(CURVE_POINTS, device=rates.device)
            rates = rates[:, steps * (points - 1) // (CURVE_POINTS - 1)]
        return {"": number(area), ".curve": Payload("curve", rates)}

    def _curve(self) -> tuple[torch.Tensor, torch.Tensor]:
        return roc(self._scores.read(), self._truth.read())

    def reset(self) -> None:
        """Forget everything."""
        self._scores = Kept()
        self._truth = Kept()


def roc(scores: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Area (0-d) and (2, N + 1) false and true positive rates, from (N,) scores and truths, without a wait."""
    order = scores.sort(descending=True, stable=True)
    hits = truth[order.indices]
    counts = torch.nn.functional.pad(torch.stack([1 - hits, hits]).cumsum(1), (1, 0))
    falling = -order.values
    first = torch.searchsorted(falling, falling)  # where the run of equal scores begins and ends
    last = torch.searchsorted(falling, falling, right=True)
    place = torch.arange(1, len(scores) + 1, device=scores.device)
    along = (place - first) / (last - first).clamp(min=1)
    inner = counts[:, first] + (counts[:, last] - counts[:, first]) * along
    rates = torch.nn.functional.pad(inner, (1, 0)) / counts[:, -1:]
    area = torch.trapezoid(rates[1], rates[0])
    return torch.where(scores.isnan().any(), math.nan, area), rates


def _flat(tensor: torch.Tensor, what: str) -> torch.Tensor:
    """(N,) out of (N,), (N, 1), (1, N) or one number."""
    if tensor.squeeze().dim() > 1:
        raise ValueRefusedError(f"AUCMeter.add: {what}: Expected shape (N,) but got {shape(tensor)}")
    return tensor.reshape(-1)
