"""The information plane of models: which layers, which range, what is refused, what is left as it was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flexlogger.errors import UnknownNameError, ValueRefusedError
from flexlogger.logger import FlexLogger
from flexlogger.model.plane import MAX_PLACES, InformationPlane
from tests.model.replicas import OnSeveral

EVERY = torch.tensor([[index >> bit & 1 for bit in range(8)] for index in range(256)], dtype=torch.float32)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))


def test_nonlinearities_and_the_last_layer_are_measured() -> None:
    plane = InformationPlane(net(), EVERY, EVERY[:, 0], whole=True)
    measured = plane.measure(0)
    assert list(measured["i_xt"]) == ["1", "4", "5"]
    assert all(0 <= bits <= 8 for bits in measured["i_xt"].values())
    assert all(0 <= bits <= 1 for bits in measured["i_ty"].values())
    assert [trace["name"] for trace in measured["information_plane"]["data"]] == ["1", "4", "5"]
    assert "Binned entropy" in measured["information_plane"]["layout"]["title"]["text"]


class Counted:
    """A backend that counts the calls of what it compiled."""

    def __init__(self) -> None:
        self.called = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        def run(*args: Any) -> Any:
            self.called += 1
            return graph.forward(*args)

        return run


class Chain(nn.Sequential):
    """With a forward of its own: `compile` in place leaves torch's own ones as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self:
            x = layer(x)
        return x


def compiled(how: str, backend: Counted) -> Any:
    model: Any = Chain(*net())
    if how == "compiled in place":
        model.compile(backend=backend)
        return model
    if how == "a part is compiled":
        model[1] = torch.compile(model[1], backend=backend)
        return model
    return torch.compile(model, backend=backend)


@pytest.mark.parametrize("how", ["compiled in place", "a part is compiled", "the wrapper"])
def test_a_compiled_model_is_measured_like_any_other(how: str, caplog: pytest.LogCaptureFixture) -> None:
    torch._dynamo.reset()
    backend = Counted()
    model = compiled(how, backend)
    model.eval()
    with torch.no_grad():
        model(EVERY)  # now there is code for what the plane does
    expected = InformationPlane(net(), EVERY, EVERY[:, 0], whole=True).measure(0)
    plane = InformationPlane(model, EVERY, EVERY[:, 0], whole=True)
    for _ in range(2):
        found = plane.measure(0)
        assert found["i_xt"] == pytest.approx(expected["i_xt"])
    assert "is left out" not in caplog.text
    assert backend.called == 1
    with torch.no_grad():
        model(EVERY)
    assert backend.called == 2, "and runs compiled again afterwards"


def test_in_data_parallel_the_model_itself_is_measured_and_no_copies() -> None:
    expected = InformationPlane(net(), EVERY, EVERY[:, 0], whole=True).measure(0)
    plane = InformationPlane(OnSeveral(net()), EVERY, EVERY[:, 0], whole=True)
    assert plane.measure(0)["i_xt"] == expected["i_xt"]


def test_the_model_is_left_as_it_was() -> None:
    model = net()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state()
    InformationPlane(model, EVERY, EVERY[:, 0]).measure()
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_information_is_never_larger_behind_a_layer_and_a_bit_copied_is_a_bit() -> None:
    model = nn.Sequential(nn.Identity(), nn.Linear(8, 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(8)[:1])
    plane = InformationPlane(model, EVERY, EVERY[:, 0], layers=["0", "1"], whole=True)
    assert plane.measure()["i_xt"] == {"0": 8.0, "1": 1.0}
    assert plane.measure()["i_ty"] == {"0": 1.0, "1": 1.0}


def test_the_range_of_an_unbounded_layer_is_the_widest_so_far() -> None:
    model = nn.Sequential(nn.Linear(8, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        model[0].weight.fill_(10.0)
    plane = InformationPlane(model, EVERY, EVERY[:, 0], layers=["1"], whole=True)
    wide = plane.measure(0)["i_xt"]["1"]
    with torch.no_grad():
        model[0].weight.fill_(0.01)
    assert plane.measure(1)["i_xt"]["1"] == 0.0 < wide


def test_a_sample_too_small_is_refused_named_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    wide = nn.Sequential(nn.Linear(8, 10), nn.Tanh())
    plane = InformationPlane(wide, torch.randn(100, 8), np.arange(100) % 2)
    assert plane.measure(0) == {}
    plane.measure(1)
    assert math.isnan(plane.estimates["1"].i_xt)
    assert [record.getMessage() for record in caplog.records] == [
        f"flexlogger: information plane: layer '1' is left out: {plane.estimates['1'].refusal}"
    ]


def test_wide_layers_are_left_out_unless_named(caplog: pytest.LogCaptureFixture) -> None:
    model = nn.Sequential(nn.Linear(8, 100), nn.Tanh())
    assert InformationPlane(model, EVERY, EVERY[:, 0], whole=True).measure() == {}
    assert "100 units" in caplog.text
    assert "1" in InformationPlane(model, EVERY, EVERY[:, 0], layers=["1"], whole=True).measure()["i_xt"]


def test_the_picture_stays_bounded_and_keeps_the_newest() -> None:
    plane = InformationPlane(net(), EVERY, EVERY[:, 0], layers=["1"], whole=True)
    for step in range(MAX_PLACES + 50):
        plane.measure(step)
    (trace,) = plane.figure()["data"]
    assert len(trace["x"]) <= MAX_PLACES
    assert trace["text"][0] == "step 0"
    assert trace["text"][-1] == f"step {MAX_PLACES + 49}"


def test_what_cannot_be_measured() -> None:
    with pytest.raises(UnknownNameError, match="unknown layer '7'"):
        InformationPlane(net(), EVERY, EVERY[:, 0], layers=["7"])
    with pytest.raises(ValueRefusedError, match="a target for each of 256 inputs, got 3"):
        InformationPlane(net(), EVERY, [0, 1, 2])


def test_the_preset_draws_it() -> None:
    plane = InformationPlane(net(), EVERY, EVERY[:, 0], whole=True)
    with FlexLogger.from_presets("information-plane", sinks=["memory"]) as stat:
        for epoch in range(3):
            stat.add(plane.measure(epoch))
            stat.log(epoch)
        assert stat.last("i_xt.1") > 0
        assert '"I(X;T), bits"' in stat.last("information_plane")
