"""`watch`: a plain loop, its run, and the model as it was before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import flexlogger
import flexlogger.runs as runs
from flexlogger import NonFiniteError, ValueRefusedError
from flexlogger.runs.card import read_card
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces


class Training:
    """A small model that learns, and the norm of its first layer's gradient in each step."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.truth: list[float] = []

    def step(self, scale: float = 1.0) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = scale * self.model(torch.randn(16, 4)).square().mean()
        loss.backward()
        gradient = self.model.get_parameter("0.weight").grad
        assert gradient is not None
        self.truth.append(gradient.norm().item())
        self.optimizer.step()
        return loss


GRADS: dict[str, Any] = {"sources": ["grads"], "stats": ["norm"], "every": 2, "biases": False}
NAME = "layer_0.norm.grads"


def test_a_plain_loop_has_a_run_and_the_layers_in_it(server: ServerProcess) -> None:
    training = Training()
    with flexlogger.watch(training.model, training.optimizer, project="plain", port=server.port, **GRADS) as run:
        for _ in range(5):
            run.log({"loss": training.step()})
        assert run.flush()
        truth = [(n, pytest.approx(training.truth[n], rel=1e-5)) for n in (0, 2, 4)]
        (drawn,) = traces(run.session, server.url, "layer_0").values()
        assert drawn == truth
    assert RunReader(run.dir).series("loss").steps.tolist() == [0, 1, 2, 3, 4]
    card = read_card(run.dir)
    assert card is not None
    assert (card.project, card.status) == ("plain", "finished")
    assert run.finished


def test_afterwards_nothing_is_collected_and_the_optimizer_is_as_it_was() -> None:
    training = Training()
    before = [len(hooks) for hooks in _hooks(training)]
    with flexlogger.watch(training.model, training.optimizer, sinks=[], **GRADS) as run:
        training.step()
    training.step()
    training.step()
    assert [len(hooks) for hooks in _hooks(training)] == before
    assert RunReader(run.dir).series(NAME).steps.tolist() == [0]


def _hooks(training: Training) -> list[Any]:
    optimizer, first = training.optimizer, training.model[0]
    names = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
    return [*(getattr(optimizer, name) for name in names), first._forward_hooks, first._backward_hooks]


def test_a_run_that_the_script_opened_is_shared_and_goes_on() -> None:
    training = Training()
    with runs.init("mine", mode="offline") as mine:
        for _ in range(3):
            mine.log({"loss": 1.0})
        with flexlogger.watch(training.model, training.optimizer, **GRADS) as run:
            assert run is mine
            run.log({"loss": training.step()})
        mine.log({"loss": 0.5})
    assert RunReader(mine.dir).series(NAME).steps.tolist() == [3]
    assert RunReader(mine.dir).series("loss").steps.tolist() == [0, 1, 2, 3, 4]


def test_an_exception_in_the_block_is_a_crashed_run() -> None:
    training = Training()
    with pytest.raises(ArithmeticError), flexlogger.watch(training.model, training.optimizer, sinks=[]) as run:
        raise ArithmeticError
    card = read_card(run.dir)
    assert card is not None
    assert card.status == "crashed"


def test_training_stops_at_the_first_nan_where_that_is_asked_for() -> None:
    training, options = Training(), GRADS | {"every": 1, "stop_on_nan": True, "sinks": []}

    def train() -> None:
        with flexlogger.watch(training.model, training.optimizer, **options):
            for n in range(20):
                training.step(scale=float("nan") if n == 3 else 1.0)

    with pytest.raises(NonFiniteError, match="step 3"):
        train()
    assert len(training.truth) < 20


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match="expected the optimizer that trains the model"):
        flexlogger.watch(nn.Linear(1, 1), nn.MSELoss()).__enter__()  # type: ignore[arg-type]
