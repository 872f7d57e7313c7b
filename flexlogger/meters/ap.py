"""Average precision, by class and as their mean."""

from __future__ import annotations

from typing import Any

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.catalog import METERS
from flexlogger.meters.kept import Kept
from flexlogger.meters.tensors import as_tensor, number, on_device, shape, to_device, together, wide


class APMeter(BaseMeter):
    """Average precision of each of K classes: the mean of the precisions at each positive sample, best score first.

    That is the area under the uninterpolated precision-recall curve (Manning, Raghavan & Schütze 2008, section 8.4).
    Among equal scores the one added first comes first; a class without positives has 0. With `weight`, precisions are
    weighted. Scores, targets and weights are kept until the reset.

    >>> meter = APMeter()
    >>> meter.add([[0.9, 0.2], [0.8, 0.7], [0.1, 0.4]], [[1, 0], [0, 1], [1, 1]])
    >>> meter.value()
    tensor([0.8333, 1.0000])
    """

    outputs = METERS["APMeter"].outputs

    def __init__(self) -> None:
        self.reset()

    @property
    def empty(self) -> bool:
        return not len(self._scores)

    def add(self, output: Any, target: Any, weight: Any = None) -> None:
        """Take (N, K) or (N,) scores, targets of 0 and 1 in the same shape, and (N,) weights (1 if not given).

        Raises ValueRefusedError. Targets and weights are not looked at on an accelerator.
        """
        who = f"{type(self).__name__}.add"
        scores, truth = together(
            _columns(as_tensor(output, f"{who}: output"), f"{who}: output"),
            _columns(as_tensor(target, f"{who}: target"), f"{who}: target"),
        )
        if scores.shape != truth.shape:
            got = f"{shape(scores)} and {shape(truth)}"
            raise ValueRefusedError(f"{who}: Expected output and target of one shape but got {got}")
        before = self._scores.columns()
        if before is not None and before != scores.shape[1]:
            raise ValueRefusedError(f"{who}: Expected {before} classes, as before, but got {scores.shape[1]}")
        if not on_device(truth) and not bool(((truth == 0) | (truth == 1)).all()):
            raise ValueRefusedError(f"{who}: target: Expected only 0 and 1 but got other values")
        weights = _weights(weight, scores, f"{who}: weight")
        if len(scores):
            self._scores.add(wide(scores))
            self._truth.add(truth != 0)
            self._weights.add(weights)

    def value(self) -> torch.Tensor:
        """(K,) float32 tensor on the CPU, empty when nothing was added. Waits for a device."""
        return torch.zeros(0) if self.empty else self._precisions().cpu()

    def collect(self) -> dict[str, Any]:
        """{'': (K,) vector}, on its device."""
        return {"": Payload("vector", self._precisions())}

    def _precisions(self) -> torch.Tensor:
        scores = self._scores.read()
        return average_precision(
            scores, to_device(self._truth.read(), scores.device), to_device(self._weights.read(), scores.device)
        )

    def reset(self) -> None:
        """Forget everything."""
        self._scores = Kept()
        self._truth = Kept()
        self._weights = Kept()


class mAPMeter(APMeter):
    """Mean of the average precisions of K classes, which it logs as name.ap; see `APMeter`.

    >>> meter = mAPMeter()
    >>> meter.add([[0.9, 0.2], [0.8, 0.7], [0.1, 0.4]], [[1, 0], [0, 1], [1, 1]])
    >>> meter.value()
    tensor(0.9167)
    """

    outputs = METERS["mAPMeter"].outputs

    def value(self) -> torch.Tensor:
        """0-d float32 tensor on the CPU, NaN when empty. Waits for a device."""
        return super().value().mean()

    def collect(self) -> dict[str, Any]:
        """{'': mean, '.ap': (K,) vector}, on their device."""
        precisions = self._precisions()
        return {"": number(precisions.mean()), ".ap": Payload("vector", precisions)}


def average_precision(scores: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(K,) float32 average precisions from (N, K) scores and boolean truths and (N,) weights, without a wait."""
    order = scores.sort(dim=0, descending=True, stable=True).indices
    hits = truth.gather(0, order)
    weight = weights[order]
    precision = (hits * weight).cumsum(0) / weight.cumsum(0)
    total = torch.where(hits, precision, 0.0).sum(0)
    return (total / hits.sum(0).clamp(min=1)).to(torch.float32)


def _columns(tensor: torch.Tensor, where: str) -> torch.Tensor:
    if tensor.dim() == 1:
        return tensor[:, None]
    if tensor.dim() != 2:
        raise ValueRefusedError(f"{where}: Expected shape (N, K) or (N,) but got {shape(tensor)}")
    return tensor


def _weights(weight: Any, scores: torch.Tensor, where: str) -> torch.Tensor:
    n = len(scores)
    if weight is None:
        return torch.ones(n, device=scores.device)
    weights = as_tensor(weight, where)
    if weights.numel() != n or weights.squeeze().dim() > 1:
        raise ValueRefusedError(f"{where}: Expected shape ({n},) but got {shape(weights)}")
    if not on_device(weights) and not bool((weights >= 0).all()):
        raise ValueRefusedError(f"{where}: Expected numbers of at least 0 but got a smaller one or NaN")
    return to_device(wide(weights.reshape(-1)), scores.device)
