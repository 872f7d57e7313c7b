"""What each meter of the catalog may be given: shared by the tests of parity, ownership and devices."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from flexlogger.meters.base import BaseMeter
from flexlogger.meters.catalog import METERS

Batch = tuple[Any, ...]


def make(name: str, **opts: Any) -> BaseMeter:
    """Construct a meter of the catalog."""
    module, _, cls = METERS[name].path.partition(":")
    return getattr(importlib.import_module(module), cls)(**opts)


def _numbers(g: torch.Generator) -> list[Batch]:
    return [(torch.randn((), generator=g),) for _ in range(5)]


def _pairs(g: torch.Generator) -> list[Batch]:
    return [(torch.randn(4, 3, generator=g), torch.randn(4, 3, generator=g)) for _ in range(3)]


def _classes(g: torch.Generator) -> list[Batch]:
    return [(torch.randn(8, 6, generator=g), torch.randint(6, (8,), generator=g)) for _ in range(3)]


def _binary(g: torch.Generator) -> list[Batch]:
    return [(torch.rand(9, generator=g), torch.arange(9) % 2) for _ in range(3)]


def _labels(g: torch.Generator) -> list[Batch]:
    return [(torch.rand(7, 4, generator=g), torch.randint(2, (7, 4), generator=g)) for _ in range(3)]


def _weighted(g: torch.Generator) -> list[Batch]:
    return [(*batch, torch.rand(7, generator=g) + 0.1) for batch in _labels(g)]


def _anything(g: torch.Generator) -> list[Batch]:
    return [(torch.randn(20, generator=g),) for _ in range(3)]


CASES: dict[str, tuple[str, dict[str, Any], Callable[[torch.Generator], list[Batch]]]] = {
    "average": ("AverageValueMeter", {}, _numbers),
    "mse": ("MSEMeter", {}, _pairs),
    "rmse": ("MSEMeter", {"root": True}, _pairs),
    "confusion": ("ConfusionMeter", {"k": 6}, _classes),
    "normalized": ("ConfusionMeter", {"k": 6, "normalized": True}, _classes),
    "error": ("ClassErrorMeter", {}, _classes),
    "top-k": ("ClassErrorMeter", {"topk": [1, 3, 5], "accuracy": True}, _classes),
    "auc": ("AUCMeter", {}, _binary),
    "ap": ("APMeter", {}, _labels),
    "weighted ap": ("APMeter", {}, _weighted),
    "map": ("mAPMeter", {}, _labels),
    "moving": ("MovingAverageValueMeter", {"windowsize": 3}, _numbers),
    "min": ("MinMeter", {}, _numbers),
    "max": ("MaxMeter", {}, _numbers),
    "sum": ("SumMeter", {}, _numbers),
    "accuracy": ("AccuracyMeter", {}, _classes),
    "histogram": ("HistogramMeter", {"bins": 8}, _anything),
}
"""Label: (meter type, options, batches). Clocks are tested by themselves, LastValueMeter in its own file."""


def batches(label: str, seed: int = 0) -> list[Batch]:
    """The arguments of each `add` of a case, new tensors every time."""
    return CASES[label][2](torch.Generator().manual_seed(seed))


def meter_of(label: str) -> BaseMeter:
    """The empty meter of a case."""
    name, opts, _ = CASES[label]
    return make(name, **opts)


def close(left: Any, right: Any, tolerance: float = 1e-5) -> bool:
    """Whether two results of `value` or `collect` agree, NaN with NaN."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key], tolerance) for key in left)
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(close(a, b, tolerance) for a, b in zip(left, right, strict=True))
    a, b = (torch.as_tensor(getattr(x, "value", x), dtype=torch.float64, device="cpu") for x in (left, right))
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
