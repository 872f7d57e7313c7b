"""The gradient's signal-to-noise ratio against cases whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from flexlogger.errors import ValueRefusedError
from flexlogger.logger import FlexLogger
from flexlogger.model.snr import GradientSNR


def layer_of(size: int) -> nn.Linear:
    return nn.Linear(size, 1, bias=False)


def test_known_ratio_in_many_dimensions_where_the_plain_estimate_is_a_fifth_too_large() -> None:
    """d = 50,000, B = 200, truth 0.1: the norm of the mean alone would give 0.1225."""
    torch.manual_seed(0)
    d, batches = 50_000, 200
    model = layer_of(d)
    snr = GradientSNR(model)
    signal = torch.full((1, d), 0.1)
    for _ in range(batches):
        model.weight.grad = signal + torch.randn(1, d)
        snr.update()
    found = snr.values()[""]
    assert found.snr == pytest.approx(0.1, rel=0.01)
    assert math.sqrt(found.mean**2 + found.std**2 / batches) / found.std == pytest.approx(0.1225, rel=0.01)


def test_spread_equals_the_direct_computation() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    snr = GradientSNR(model)
    seen: dict[str, list[torch.Tensor]] = {"0": [], "2": []}
    for _ in range(20):
        model.zero_grad(set_to_none=True)
        model(torch.randn(16, 7)).square().mean().backward()
        snr.update()
        for name, rows in seen.items():
            module = model.get_submodule(name)
            rows.append(torch.cat([p.grad.reshape(-1) for p in module.parameters() if p.grad is not None]).double())
    for name, rows in seen.items():
        stacked = torch.stack(rows)
        variance = stacked.var(dim=0).sum()
        mean_squared = stacked.mean(dim=0).square().sum() - variance / len(rows)
        found = snr.values()[name]
        assert found.std == pytest.approx(math.sqrt(variance), rel=1e-5)
        assert found.mean == pytest.approx(math.sqrt(max(0.0, mean_squared)), rel=1e-3, abs=1e-6)
        assert found.batches == 20


def test_pure_noise_has_no_signal_left_and_no_noise_an_infinite_ratio() -> None:
    torch.manual_seed(2)
    model = layer_of(1000)
    snr = GradientSNR(model)
    for sign in (1, -1, 1, -1):
        model.weight.grad = sign * torch.ones(1, 1000)
        snr.update()
    assert snr.values()[""].snr == 0.0
    snr.reset()
    for _ in range(3):
        model.weight.grad = torch.ones(1, 1000)
        snr.update()
    assert snr.values()[""].snr == math.inf


def test_a_part_of_each_parameter_stands_for_the_whole() -> None:
    torch.manual_seed(3)
    model = layer_of(64_000)
    whole, part = GradientSNR(model), GradientSNR(model, fraction=1 / 16)
    for _ in range(50):
        model.weight.grad = 0.5 + torch.randn(1, 64_000)
        whole.update()
        part.update()
    assert part.values()[""].snr == pytest.approx(whole.values()[""].snr, rel=0.05)
    assert part.values()[""].std == pytest.approx(whole.values()[""].std, rel=0.05)


def test_frozen_sparse_half_and_absent_gradients() -> None:
    embedding, frozen, half = nn.Embedding(10, 4, sparse=True), nn.Linear(2, 2), nn.Linear(4, 1, bias=False).bfloat16()
    frozen.requires_grad_(False)
    model = nn.ModuleDict({"embedding": embedding, "frozen": frozen, "short": half, "unused": nn.Linear(2, 2)})
    snr = GradientSNR(model)
    for index in ([0, 0, 1], [0, 2, 2]):
        model.zero_grad()
        embedding(torch.tensor(index)).sum().backward()
        half(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
        snr.update()
    found = snr.values()
    assert set(found) == {"embedding", "short"}
    rows = torch.zeros(2, 10)
    rows[0, 0], rows[0, 1], rows[1, 0], rows[1, 2] = 2, 1, 1, 2
    assert found["embedding"].std == pytest.approx(math.sqrt(4 * rows.var(dim=0).sum()))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler looks at it
@pytest.mark.parametrize("how", ["compiled", "DataParallel", "a part compiled in DataParallel"])
def test_layers_have_the_models_own_names(how: str) -> None:
    model: Any = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Linear(3, 1)))
    if how == "a part compiled in DataParallel":
        model[1] = torch.compile(model[1], backend="eager")
    wrapped: Any = torch.compile(model, backend="eager") if how == "compiled" else nn.DataParallel(model)
    snr = GradientSNR(wrapped)
    for _ in range(2):
        wrapped.zero_grad()
        wrapped(torch.randn(8, 4)).square().sum().backward()
        snr.update()
    assert list(snr.values()) == ["0", "1.0"]


def test_one_batch_is_no_spread() -> None:
    model = layer_of(3)
    snr = GradientSNR(model)
    model.weight.grad = torch.ones(1, 3)
    snr.update()
    assert snr.values() == {}
    assert snr.measure() == {}


def test_a_fraction_out_of_range() -> None:
    with pytest.raises(ValueRefusedError, match="more than 0 and at most 1, got 0"):
        GradientSNR(layer_of(2), fraction=0)


def test_the_preset_takes_what_is_measured() -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    snr = GradientSNR(model)
    with FlexLogger.from_presets("grad-snr", sinks=["memory"], phases=[]) as stat:
        for _ in range(4):
            model.zero_grad()
            model(torch.randn(8, 4)).square().sum().backward()
            snr.update()
        stat.add(snr.measure())
        stat.log(0)
        assert stat.last("grad_snr.0") > 0
        assert stat.last("grad_std.1") > 0
