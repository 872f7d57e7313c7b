"""How much of a gradient is signal: its mean over batches against how far batches stray from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch import nn

from flexlogger.errors import ValueRefusedError
from flexlogger.model.layers import plain, unwrapped


class Snr(msgspec.Struct, frozen=True):
    """The gradient of one layer over `batches` batches.

    `mean` is the norm of the mean gradient, `std` the root of the summed variances, `snr` their quotient (Shwartz-Ziv &
    Tishby, arXiv 1703.00810, section 3.3). `mean_per_weight` and `std_per_weight` are divided by the weights' norm.
    """

    mean: float
    std: float
    snr: float
    mean_per_weight: float
    std_per_weight: float
    batches: int


class GradientSNR:
    """Sums gradients while a model trains; `values` tells mean, spread and their ratio a layer.

    Call `update()` after backward (and after unscaling, where gradients are scaled) and before `zero_grad`. Nothing is
    read from the device until `values`. `fraction` < 1 sums only the first part of each parameter: a sixteenth of a
    large model costs a sixteenth. The weights move between the batches that are summed; read the numbers as those of
    an epoch, not of a point.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> snr = GradientSNR(model)
    >>> for gradient in (1.0, 3.0):
    ...     model.weight.grad = torch.tensor([[gradient]])
    ...     snr.update()
    >>> found = snr.values()[""]
    >>> round(found.std**2, 6), round(found.mean**2, 6)  # 4 less a half of the variance, which is 2
    (2.0, 3.0)
    """

    def __init__(self, model: nn.Module, *, fraction: float = 1.0) -> None:
        if not 0 < fraction <= 1:
            raise ValueRefusedError(f"GradientSNR: fraction: expected more than 0 and at most 1, got {fraction}")
        self._fraction = fraction
        self._sums: list[_Sum] = []
        for path, parameter in unwrapped(model).named_parameters():
            if parameter.requires_grad and parameter.numel():
                layer = plain(path).rpartition(".")[0]
                self._sums.append(_Sum(layer, parameter, math.ceil(fraction * parameter.numel())))

    @torch.no_grad()
    def update(self) -> None:
        """Add the gradients of this batch; parameters without one are passed over."""
        fed = [one for one in self._sums if one.parameter.grad is not None]
        parts = [one.part() for one in fed]
        if not parts:
            return
        torch._foreach_add_([one.total for one in fed], parts)
        norms = torch._foreach_norm(parts)
        for one, norm in zip(fed, norms, strict=True):
            one.squares += norm.double().square()
            one.batches += 1

    @torch.no_grad()
    def values(self) -> dict[str, Snr]:
        """Mean, spread and ratio by layer (the module that holds the parameters); waits for the device. Layers with
        fewer than two batches are left out.

        tr Cov = (E|g|² - |E g|²) B / (B - 1); |E g|² is too large by tr Cov / B, which is taken off, and is 0 where
        nothing remains.
        """
        layers: dict[str, list[_Sum]] = {}
        for one in self._sums:
            if one.batches > 1:
                layers.setdefault(one.layer, []).append(one)
        return {layer: _snr(sums) for layer, sums in layers.items()}

    def measure(self) -> dict[str, dict[str, float]]:
        """What the preset `grad-snr` takes, `stat.add(snr.measure())`; starts the sums anew."""
        found = self.values()
        self.reset()
        if not found:
            return {}
        return {
            "grad_snr": {layer: one.snr for layer, one in found.items()},
            "grad_mean": {layer: one.mean_per_weight for layer, one in found.items()},
            "grad_std": {layer: one.std_per_weight for layer, one in found.items()},
        }

    def reset(self) -> None:
        """Forget what was summed."""
        for one in self._sums:
            one.reset()


class _Sum:
    """The running sum of one parameter's gradients, and of their squared norms."""

    def __init__(self, layer: str, parameter: nn.Parameter, size: int) -> None:
        self.layer = layer
        self.parameter = parameter
        self.scale = parameter.numel() / size
        wide = torch.promote_types(parameter.dtype, torch.float32)
        self.total = torch.zeros(size, dtype=wide, device=parameter.device)
        self.squares = torch.zeros((), dtype=torch.float64, device=parameter.device)
        self.batches = 0

    def part(self) -> torch.Tensor:
        gradient = self.parameter.grad
        assert gradient is not None
        if gradient.layout != torch.strided:
            gradient = gradient.to_dense()
        return gradient.detach().reshape(-1)[: len(self.total)].to(self.total.dtype)

    def reset(self) -> None:
        self.total.zero_()
        self.squares.zero_()
        self.batches = 0


def _snr(sums: Sequence[_Sum]) -> Snr:
    mean_squared = variance = weights = 0.0
    for one in sums:
        squared = float((one.total.double() / one.batches).square().sum())
        spread = max(0.0, float(one.squares) / one.batches - squared) * one.batches / (one.batches - 1)
        mean_squared += one.scale * (squared - spread / one.batches)
        variance += one.scale * spread
        weights += float(torch.linalg.vector_norm(one.parameter.detach().double()).square())
    mean, std, weight = math.sqrt(max(0.0, mean_squared)), math.sqrt(variance), math.sqrt(weights)
    return Snr(
        mean,
        std,
        mean / std if std else math.inf,
        mean / weight if weight else math.nan,
        std / weight if weight else math.nan,
        max(one.batches for one in sums),
    )
