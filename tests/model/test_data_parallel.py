"""Models in DataParallel: copies of them run, on several devices at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from flexlogger.model.tooled import TooledModel
from tests.model.replicas import OnSeveral


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 3))


def rows(*values: float) -> torch.Tensor:
    """A batch whose rows are these values."""
    return torch.tensor(values)[:, None].expand(-1, 20)


class Around(nn.Module):
    """A model that wraps a part of itself where it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.last = model(), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> Any:
        return self.last(OnSeveral(self.part)(x))


@pytest.mark.parametrize("what", ["the wrapper is tooled", "the model is tooled"])
def test_copies_count_for_the_layer_they_copy(what: str, caplog: pytest.LogCaptureFixture) -> None:
    net = model()
    wrapped = OnSeveral(net)
    tooled = TooledModel(
        wrapped if what == "the wrapper is tooled" else net, sources=["inputs", "grad_out"], stats=["min", "max"]
    )
    x = rows(2.0, 5.0)
    (wrapped(x) * torch.tensor([[2.0], [5.0]])).sum().backward()
    table = tooled.table(show=False)
    assert table["0"]["inputs"] == {"min": 2.0, "max": 5.0}
    assert table["2"]["grad_out"] == {"min": 2.0, "max": 5.0}
    assert list(table) == ["0", "1", "2"]
    assert tooled.status()["unseen"] == []
    assert "no hook has seen" not in caplog.text


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_evaluation_does_not_count(when: str, devices: int) -> None:
    wrapped = OnSeveral(model(), devices)
    optimizer = torch.optim.SGD(wrapped.parameters(), 0.1)
    tooled = TooledModel(wrapped, optimizer, sources=["inputs", "outputs"], stats=["max"])
    if when == "before":
        with torch.no_grad():
            wrapped(rows(100.0, 100.0))
    wrapped(rows(1.0, 2.0)).sum().backward()
    wrapped(rows(3.0, 2.0)).sum().backward()
    if when == "after":
        with torch.no_grad():
            wrapped(rows(100.0, 100.0))
    optimizer.step()
    assert tooled.latest is not None
    assert tooled.latest.table()["0"]["inputs"] == {"max": 3.0}


def test_without_an_optimizer_the_first_pass_counts() -> None:
    wrapped = OnSeveral(model())
    tooled = TooledModel(wrapped, sources=["inputs", "grad_out"], stats=["max"])
    for x, times in (((1.0, 2.0), 1.0), ((3.0, 4.0), 7.0)):
        (wrapped(rows(*x)) * times).sum().backward()
    table = tooled.table(show=False)
    assert table["0"]["inputs"] == {"max": 2.0}
    assert table["2"]["grad_out"] == {"max": 1.0}


def test_a_pass_that_ended_in_an_exception_does_not_count() -> None:
    wrapped = OnSeveral(model())
    tooled = TooledModel(wrapped, sources=["inputs"], stats=["max"])
    gather, wrapped.gather = wrapped.gather, None  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        wrapped(rows(100.0, 100.0))
    wrapped.gather = gather  # type: ignore[method-assign]
    wrapped(rows(1.0, 2.0)).sum().backward()
    assert tooled.table(show=False)["0"]["inputs"] == {"max": 2.0}


def test_a_part_that_is_wrapped_belongs_to_the_models_pass() -> None:
    net = Around()
    tooled = TooledModel(net, sources=["inputs"], stats=["max"])
    for x in ((1.0, 2.0), (3.0, 4.0)):
        net(rows(*x)).sum().backward()
    table = tooled.table(show=False)
    assert table["part.0"]["inputs"] == {"max": 2.0}
    assert tooled.status()["unseen"] == []


def test_another_model_in_it_is_no_pass_of_ours() -> None:
    ours, theirs = model(), OnSeveral(model())
    tooled = TooledModel(ours, sources=["inputs"], stats=["max"])
    theirs(rows(100.0, 100.0))
    with torch.no_grad():
        ours(rows(1.0))
    assert tooled.table(show=False)["0"]["inputs"] == {"max": 1.0}


def test_a_part_of_what_is_wrapped_is_seen() -> None:
    whole = nn.Sequential(model(), nn.Linear(3, 1))
    wrapped = OnSeveral(whole)
    optimizer = torch.optim.SGD(wrapped.parameters(), 0.1)
    tooled = TooledModel(whole[0], optimizer, sources=["inputs"], stats=["max"])
    with torch.no_grad():
        wrapped(rows(100.0, 100.0))
    wrapped(rows(1.0, 2.0)).sum().backward()
    optimizer.step()
    assert tooled.latest is not None
    assert tooled.latest.table()["0"]["inputs"]["max"] == 2.0
    assert tooled.status()["unseen"] == []
