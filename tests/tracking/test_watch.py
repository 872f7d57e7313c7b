from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import flexlogger.runs as wandb
from flexlogger import ValueRefusedError
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    yield
    wandb.finish()


class Training:
    """A small model that learns, and what its gradients and weights were before each step."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.truth: list[dict[str, float]] = []

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = self.model(torch.randn(16, 4)).square().mean()
        loss.backward()
        first = self.model[0].weight
        assert isinstance(first, torch.Tensor)
        assert first.grad is not None
        self.truth.append({"gradients.norm.0": first.grad.norm().item(), "parameters.mean.0": first.mean().item()})
        self.optimizer.step()
        wandb.log({"loss": loss})


def test_every_so_many_steps_each_layer_is_a_point_of_its_line(server: ServerProcess) -> None:
    run = wandb.init("watch", port=server.port)
    training = Training()
    wandb.watch(training.model, training.optimizer, log="all", log_freq=3)
    for _ in range(7):
        training.step()
    assert run.flush()
    for name in ("gradients.norm.0", "parameters.mean.0"):
        drawn = traces(run.session, server.url, name.rpartition(".")[0])
        assert list(drawn) == [name, name[:-1] + "2"]
        assert drawn[name] == [(n, pytest.approx(training.truth[n][name], rel=1e-5)) for n in (0, 3, 6)]


@pytest.mark.parametrize("second", [None, nn.MSELoss()])
def test_the_optimizer_is_found_by_what_it_trains(second: Any) -> None:
    run = wandb.init("watch", mode="offline")
    training = Training()
    other = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    wandb.watch(training.model, second, log_freq=1, log_graph=True)
    for _ in range(4):
        other.step()
        training.step()
    wandb.finish()
    steps, norms = RunReader(run.dir).series("gradients.norm.0")
    assert steps.tolist() == [1, 2, 3]
    assert norms.tolist() == pytest.approx([truth["gradients.norm.0"] for truth in training.truth[1:]], rel=1e-5)
    assert not [name for name in RunReader(run.dir).names() if name.startswith("parameters")]


def test_unwatch_leaves_model_and_optimizers_as_they_were() -> None:
    from torch.optim.optimizer import _global_optimizer_post_hooks as everywhere

    run = wandb.init("watch", mode="offline")
    training, other = Training(), Training()
    wandb.watch(training.model, training.optimizer, log_freq=1)
    wandb.watch(other.model, log_freq=1)
    training.step()
    other.step()
    wandb.unwatch(training.model)
    before = dict(training.optimizer._optimizer_step_post_hooks), dict(training.optimizer._optimizer_step_pre_hooks)
    assert before == ({}, {})
    training.step()
    wandb.finish()
    assert not everywhere
    assert not other.optimizer._optimizer_step_post_hooks
    assert not any(module._forward_hooks for module in other.model.modules())
    assert RunReader(run.dir).series("gradients.norm.0")[0].tolist() == [0]


def test_what_cannot_be_watched_is_refused() -> None:
    wandb.init("watch", mode="offline")
    model = nn.Linear(1, 1)
    with pytest.raises(ValueRefusedError, match="watch: log: unknown word 'gradient'; did you mean 'gradients'"):
        wandb.watch(model, log="gradient")
    with pytest.raises(ValueRefusedError, match="watch: log_freq: expected a whole number of steps, but got 0"):
        wandb.watch(model, log_freq=0)
    with pytest.raises(ValueRefusedError, match=r"watch: expected a torch\.nn\.Module, but got list"):
        wandb.watch([model])  # type: ignore[arg-type]
