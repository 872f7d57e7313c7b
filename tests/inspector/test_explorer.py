"""What of a model can be tracked, found without leaving a trace in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from flexlogger import ModelExplorer, ParallelHandler
from tests.inspector.callbacks import ignores


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(4, 4)
        self.features = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.unused = nn.Linear(4, 4)
        self.words = nn.Embedding(5, 4)
        for parameter in self.frozen.parameters():
            parameter.requires_grad_(False)

    def forward(self, x: torch.Tensor, word: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        x = self.features(self.frozen(x))
        return {"out": x if word is None else x + self.words(word)}


WORD = torch.tensor([1, 2, 3])


@pytest.mark.parametrize(
    ("given", "word"), [(torch.rand(3, 4), False), ((torch.rand(3, 4), WORD), True), ({"x": torch.rand(3, 4)}, False)]
)
def test_handles_are_those_that_something_comes_from(given: Any, word: bool) -> None:
    found = ModelExplorer.get_hook_layers(Net(), given)
    features = [f"features.{n}" for n in range(4)]
    assert list(found.forward) == ["frozen", *features, *(["words"] if word else [])]
    assert list(found.backward) == [*features, *(["words"] if word else [])]


def test_what_is_found_can_be_tracked() -> None:
    model = Net()
    found = ModelExplorer.get_hook_layers(model, torch.rand(3, 4))
    parallel = ParallelHandler(ignores)
    parallel.track_layer(-1, found.backward)
    model(torch.rand(3, 4))["out"].sum().backward()
    assert parallel.status()[0]["sent"] == 2 * len(found.backward)
    assert parallel.stop()


def test_the_model_is_left_as_it_was() -> None:
    model = Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    ModelExplorer.get_hook_layers(model, torch.rand(3, 4, generator=torch.Generator()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())


def test_what_the_model_raises_is_raised() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        ModelExplorer.get_hook_layers(Net(), torch.rand(3, 5))


def test_layers_are_told_with_where_they_stand() -> None:
    layers = ModelExplorer.get_layers(Net())
    assert [info.name for info in layers] == ["frozen", *(f"features.{n}" for n in range(4)), "unused", "words"]
    assert layers[1][1:] == ("features.0", "Linear", "features", "Net.Sequential")
    assert ModelExplorer.get_layers(nn.ReLU())[0][1:] == ("", "ReLU", "", "")
