"""What the statistics of a model should be, the slow and obvious way: every tensor copied, float64, no hooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

Values = dict[tuple[str, str], list[torch.Tensor]]
"""Copies of all tensors of a layer and source."""


def joined(tensors: list[torch.Tensor]) -> torch.Tensor:
    """All entries, those that a sparse tensor does not store among them."""
    flat = [t.to_dense() if t.layout != torch.strided else t for t in tensors]
    return torch.cat([t.double().flatten() for t in flat])


def statistics(tensors: list[torch.Tensor]) -> dict[str, float]:
    """Every statistic of some tensors together."""
    values = joined(tensors)
    n = values.numel()
    found = {
        "mean": float(values.mean()),
        "norm": float(values.norm()),
        "min": float(values.min()),
        "max": float(values.max()),
        "abs_mean": float(values.abs().mean()),
        "zero_fraction": float((values == 0).double().mean()),
        "nonfinite_fraction": float((~values.isfinite()).double().mean()),
    }
    return found | ({"std": float(values.std())} if n > 1 else {})


def same_histogram(got: np.ndarray[Any, Any], tensors: list[torch.Tensor]) -> bool:
    """Whether edges are numpy's, and counts too, but for entries that lie on an edge; of what is finite."""
    values = joined(tensors).numpy()
    values = np.sort(values[np.isfinite(values)])
    edges = np.histogram_bin_edges(values, got.shape[1] - 1)
    near = 1e-6 * (edges[-1] - edges[0])
    below = np.cumsum(got[1])
    least, most = np.searchsorted(values, edges[1:-1] - near), np.searchsorted(values, edges[1:-1] + near, "right")
    told_apart = (least <= below[:-2]) & (below[:-2] <= most)
    return bool(np.allclose(got[0], edges, rtol=2e-5, atol=near) and told_apart.all() and below[-1] == len(values))


class Tap(torch.autograd.Function):
    """A copy whose gradient is copied into a list on its way back."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, into: list[torch.Tensor]) -> torch.Tensor:
        ctx.into = into
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        ctx.into.append(grad.clone())
        return grad, None


def through(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A nested value with each of its float tensors changed."""
    if isinstance(value, torch.Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, dict):
        return type(value)({key: through(entry, change) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        parts = [through(entry, change) for entry in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if hasattr(value, "__dataclass_fields__"):
        return type(value)(**{name: through(getattr(value, name), change) for name in value.__dataclass_fields__})
    return value


@contextmanager
def recorded(
    model: nn.Module, names: dict[str, nn.Module], values: Values, scale: Callable[[], float]
) -> Iterator[None]:
    """While open, every call of the named modules leaves copies of what goes in and out, and of the gradients."""
    undo = []
    for name, module in names.items():
        undo.append((module, module.forward))
        module.forward = _recording(module.forward, name, values, scale)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module, forward in undo:
            del module.forward
            assert module.forward == forward


def _recording(forward: Any, name: str, values: Values, scale: Callable[[], float]) -> Any:
    def into(source: str) -> list[torch.Tensor]:
        return values.setdefault((name, source), [])

    def tapped(tensor: torch.Tensor, source: str) -> torch.Tensor:
        return Tap.apply(tensor, _Unscaled(into(source), scale)) if tensor.requires_grad else tensor

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        repeated = torch._C._current_graph_task_id() != -1
        args, kwargs = through(args, lambda t: tapped(t, "grad_in")), through(kwargs, lambda t: tapped(t, "grad_in"))
        if not repeated:
            through((args, kwargs), lambda t: into("inputs").append(t.detach().clone()) or t)
            if not any(t.is_floating_point() for t in (*args, *kwargs.values()) if isinstance(t, torch.Tensor)):
                into("inputs").extend(t.clone() for t in (*args, *kwargs.values()) if isinstance(t, torch.Tensor))
        output = forward(*args, **kwargs)
        if not repeated:
            through(output, lambda t: into("outputs").append(t.detach().clone()) or t)
        return through(output, lambda t: tapped(t, "grad_out"))

    return wrapped


class _Unscaled(list[torch.Tensor]):
    """A list that takes a loss scale out of what it is given."""

    def __init__(self, into: list[torch.Tensor], scale: Callable[[], float]) -> None:
        self._into, self._scale = into, scale

    def append(self, tensor: torch.Tensor) -> None:
        self._into.append(tensor.double() / self._scale())


def _rows(names: dict[str, nn.Module]) -> Iterator[tuple[str, nn.Parameter]]:
    for name, module in names.items():
        for attribute, parameter in module._parameters.items():
            if parameter is not None and not attribute.startswith("bias"):
                yield name if attribute == "weight" else f"{name}.{attribute}", parameter


def parameters(names: dict[str, nn.Module], values: Values) -> None:
    """Copies of all weights and gradients as they are now, in place of those of an earlier call."""
    for row, parameter in _rows(names):
        values[row, "weights"] = [parameter.detach().clone()]
        values.pop((row, "grads"), None)
        if parameter.grad is not None:
            values[row, "grads"] = [parameter.grad.detach().clone()]


def trained(names: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    """Copies, in float64, of the weights that an optimizer may move, as they are now."""
    return {
        row: parameter.detach().to(torch.float64, copy=True)
        for row, parameter in _rows(names)
        if parameter.requires_grad
    }


def update_ratios(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], values: Values) -> dict[str, float]:
    """How far the optimizer's step has moved the weights of each row, over the norm that they were noted with."""
    norms = {row: values[row, "weights"][0].double().norm() for row in before}
    return {row: float((after[row] - old).norm() / norms[row]) for row, old in before.items()}


def close(got: float, expected: float, scale: float) -> bool:
    """Whether two numbers are alike; `scale` is of the entries that they are made from."""
    scale = scale if math.isfinite(scale) else 0.0
    return math.isclose(got, expected, rel_tol=2e-5, abs_tol=1e-6 * scale) or (math.isnan(got) and math.isnan(expected))
