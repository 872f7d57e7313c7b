"""Ignite's real engines train and evaluate; what its handlers then have put into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import global_step_from_engine
from ignite.metrics import Accuracy, Loss
from torch import nn

import flexlogger.runs as runs
from flexlogger import ValueRefusedError
from flexlogger.integrations.ignite import FlexIgniteLogger, OptimizerParamsHandler, OutputHandler
from flexlogger.runs.card import read_card
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces


class Training:
    """A classifier of points, ignite's trainer and evaluator for it, and what was true at each iteration."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        loss = nn.CrossEntropyLoss()
        x = torch.randn(24, 4)
        self.data = list(zip(x.split(4), (x.sum(1) > 0).long().split(4), strict=True))
        self.trainer = create_supervised_trainer(self.model, self.optimizer, loss)
        metrics = {"accuracy": Accuracy(), "loss": Loss(loss)}
        self.evaluator = create_supervised_evaluator(self.model, metrics=metrics)
        self.truth: list[dict[str, float]] = []
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self._note)

    def _note(self, engine: Engine) -> None:
        weight = self.model.get_parameter("0.weight")
        assert weight.grad is not None
        now = {"loss": float(engine.state.output or 0), "weights": weight.norm().item()}
        self.truth.append(now | {"grads": weight.grad.norm().item()})

    def run(self) -> None:
        self.trainer.run(self.data, max_epochs=2)


def points(run: runs.TrackedRun | None, name: str) -> list[tuple[float, float]]:
    assert run is not None
    series = RunReader(run.dir).series(name)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_output_metrics_and_the_learning_rate_are_logged(server: ServerProcess) -> None:
    training = Training()
    with FlexIgniteLogger(project="points", port=server.port) as logger:
        each = Events.ITERATION_COMPLETED
        logger.attach_output_handler(training.trainer, each, tag="train", output_transform=lambda loss: {"loss": loss})
        logger.attach_opt_params_handler(training.trainer, Events.EPOCH_STARTED, training.optimizer)
        logger.attach_output_handler(
            training.evaluator,
            Events.COMPLETED,
            tag="val",
            metric_names=["accuracy"],
            global_step_transform=global_step_from_engine(training.trainer, Events.ITERATION_COMPLETED),
        )
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: training.evaluator.run(training.data))
        training.run()
        run = logger.run
        assert run is not None
        assert run.flush()
        truth = [(step, pytest.approx(seen["loss"])) for step, seen in enumerate(training.truth, 1)]
        assert traces(run.session, server.url, "train/loss") == {"train/loss": truth}
    assert points(run, "lr/group_0") == [(1, 0.1), (2, 0.1)]
    assert [step for step, _ in points(run, "val/accuracy")] == [6, 12]
    assert points(run, "val/accuracy")[-1][1] == training.evaluator.state.metrics["accuracy"]
    card = read_card(run.dir)
    assert card is not None
    assert (card.project, card.status) == ("points", "finished")


def test_weights_and_gradients_are_logged_as_they_are_then() -> None:
    training = Training()
    with FlexIgniteLogger(mode="offline") as logger:
        event = Events.ITERATION_COMPLETED(every=3)
        logger.attach_model_handler(training.trainer, event, training.model, stats=["norm"])
        training.run()
    for source in ("weights", "grads"):
        truth = [(step, pytest.approx(training.truth[step - 1][source], rel=1e-5)) for step in (3, 6, 9, 12)]
        assert points(logger.run, f"layer_0.norm.{source}") == truth


def test_handlers_may_be_attached_by_hand_and_say_what_is_in_lists() -> None:
    trainer = Engine(lambda engine, batch: {"parts": [batch, torch.tensor([1.0, 2.0])], "note": "text"})
    with FlexIgniteLogger(mode="offline") as logger:
        handler = OutputHandler("train", output_transform=lambda output: output, state_attributes=["epoch"])
        logger.attach(trainer, handler, Events.ITERATION_COMPLETED)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
        logger.attach(trainer, OptimizerParamsHandler(optimizer, "momentum", tag="sgd"), Events.ITERATION_STARTED)
        trainer.run([3.0])
    names = {"train/parts/0": 3.0, "train/parts/1/0": 1.0, "train/parts/1/1": 2.0, "train/epoch": 1.0}
    assert {name: points(logger.run, name) for name in names} == {name: [(1, value)] for name, value in names.items()}
    assert points(logger.run, "sgd/momentum/group_0") == [(1, 0.9)]


def test_a_handler_with_another_logger_says_so() -> None:
    trainer = Engine(lambda engine, batch: batch)
    trainer.state.output = 1.0
    with pytest.raises(ValueRefusedError, match="expected a FlexIgniteLogger, but got object"):
        OutputHandler("train", output_transform=float)(trainer, object(), Events.ITERATION_COMPLETED)


def test_a_training_that_raises_is_a_crashed_run() -> None:
    logger = FlexIgniteLogger(mode="offline")
    with pytest.raises(ArithmeticError), logger:
        raise ArithmeticError
    assert logger.run is not None
    card = read_card(logger.run.dir)
    assert card is not None
    assert card.status == "crashed"


def test_a_run_that_the_script_opened_is_shared_and_left_open() -> None:
    mine = runs.init("mine", mode="offline")
    with FlexIgniteLogger() as logger:
        assert logger.run is mine
    assert not mine.finished


def test_ranks_but_0_open_no_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    training = Training()
    with FlexIgniteLogger(dir=str(tmp_path)) as logger:
        logger.attach_output_handler(training.trainer, Events.EPOCH_COMPLETED, tag="train", output_transform=_itself)
        logger.attach_model_handler(training.trainer, Events.EPOCH_COMPLETED, training.model)
        training.run()
    assert logger.run is None
    assert not list(tmp_path.iterdir())


def _itself(output: Any) -> Any:
    return output
