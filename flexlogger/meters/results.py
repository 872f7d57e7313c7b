"""What the value of a meter that is not ours means: read by its shape, and by where the meter comes from."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.documents import document
from flexlogger.meters.values import as_array, interpret, own_copy
from flexlogger.records import Kind

CURVE_POINTS = 1000
"""A curve is thinned to this many points, evenly, its ends kept."""


def outputs_of(value: Any, meter: Any, kind: Kind = "any") -> dict[str, Any]:
    """Return what to log for a meter's value, by output suffix. `kind` is what its plot would like; it need not fit.

    What is no number, array or document is logged as its text; None is not logged.

    >>> outputs_of((0.5, 0.1), object())
    {'': 0.5, '.std': 0.1}
    """
    if value is None:
        return {}
    name = type(meter).__name__
    if isinstance(value, Mapping) and document(value, kind) is None:
        members = dict(meter.items(keep_base=False)) if name == "MetricCollection" else {}
        found: dict[str, Any] = {}
        for key, entry in value.items():
            inner = outputs_of(entry, members.get(key), kind)
            found.update((f".{key}{suffix}", part) for suffix, part in inner.items())
        return found
    if isinstance(value, tuple) and len(value) == 3 and ("ROC" in name or "PrecisionRecallCurve" in name):
        return _curves(value, precision_first="ROC" not in name)
    if isinstance(value, tuple) and len(value) == 3 and _is_area(value):
        return _area(value)
    if isinstance(value, Sequence) and not isinstance(value, str) and value and all(map(_is_scalar, value)):
        return _numbers(value, meter)
    if isinstance(value, list | tuple) and as_array(value) is None and document(value, kind) is None:
        parts = {f".{i}": outputs_of(entry, None, kind) for i, entry in enumerate(value)}
        return {prefix + suffix: part for prefix, found in parts.items() for suffix, part in found.items()}
    return _as_it_is(value, kind)


def thinned(curve: torch.Tensor, points: int = CURVE_POINTS) -> torch.Tensor:
    """Keep at most `points` columns of a (2, N) tensor, evenly spaced, the first and the last among them.

    >>> thinned(torch.arange(10.0).expand(2, 10), 4)[0].tolist()
    [0.0, 3.0, 6.0, 9.0]
    """
    count = curve.shape[1]
    if count <= points:
        return curve
    wanted = torch.arange(points, device=curve.device) * (count - 1) // (points - 1)
    return curve[:, wanted]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, numbers.Real) or (
        isinstance(value, torch.Tensor | np.ndarray | np.generic) and math.prod(value.shape) == 1
    )


def _is_area(value: tuple[Any, ...]) -> bool:
    shapes = [tuple(getattr(part, "shape", ())) for part in value[1:]]
    return _is_scalar(value[0]) and shapes[0] == shapes[1] and len(shapes[0]) == 1


def _area(value: tuple[Any, ...]) -> dict[str, Any]:
    """Read torchnet's (area, tpr, fpr): the area, and the curve of tpr over fpr."""
    area, tpr, fpr = value
    curve = thinned(torch.stack([torch.as_tensor(fpr), torch.as_tensor(tpr)]))
    return interpret(area) | {".curve": Payload("curve", curve)}


def _numbers(value: Sequence[Any], meter: Any) -> dict[str, Any]:
    """Read several scalars: (mean, std), torchnet's top-k, or a vector."""
    topk = getattr(meter, "topk", None)
    if topk is not None and np.ndim(topk) == 1 and len(topk) == len(value):
        suffixes = [f"@{int(k)}" for k in topk] if len(value) > 1 else [""]
        return {suffix: interpret(entry, "scalar")[""] for suffix, entry in zip(suffixes, value, strict=True)}
    if isinstance(value, tuple) and len(value) == 2 and not hasattr(meter, "compute"):
        mean, std = (interpret(entry, "scalar")[""] for entry in value)
        known = isinstance(std, torch.Tensor) or math.isfinite(std)
        return {"": mean, ".std": std} if known else {"": mean}
    return interpret([entry.reshape(()) if hasattr(entry, "reshape") else entry for entry in value])


def _curves(value: tuple[Any, ...], precision_first: bool) -> dict[str, Any]:
    """Read torchmetrics' (fpr, tpr, thresholds) or (precision, recall, thresholds): areas and curves.

    The area of a ROC curve is that of its trapezoids; of a precision-recall curve, the average precision
    (sum of precision times gain in recall). Several classes are one output each.
    """
    x, y = (value[1], value[0]) if precision_first else (value[0], value[1])
    single = isinstance(x, torch.Tensor) and x.ndim == 1
    found: dict[str, Any] = {}
    for index, (across, up) in enumerate([(x, y)] if single else zip(x, y, strict=True)):
        prefix = "" if single else f".{index}"
        curve = torch.stack([across.detach(), up.detach()]).float()
        steps = (curve[0].diff() * curve[1, :-1]).sum() if precision_first else torch.trapezoid(curve[1], curve[0])
        found |= {prefix: interpret(steps.abs())[""], f"{prefix}.curve": Payload("curve", thinned(curve))}
    return found


def _as_it_is(value: Any, kind: Kind) -> dict[str, Any]:
    """Read one value as `kind` if it is of that, else by its shape; what has no kind stays an array of kind any."""
    array = as_array(value)
    if array is None and document(value, kind) is None:
        return {"": Payload("text", str(value))}
    if array is not None and kind == "any" and len(array.shape) > 2 and array.dtype not in (torch.uint8, np.uint8):
        return {"": Payload("any", own_copy(array))}  # (classes, 2, 2) and the like: no pictures
    for wanted in dict.fromkeys((kind, "any")):
        try:
            return interpret(value, wanted)
        except ValueRefusedError:
            continue
    return {"": Payload("any", own_copy(array)) if array is not None else Payload("text", str(value))}
