"""Views as a config names them: what is refused before anything is opened, and that none disturbs another."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from flexlogger import FlexLogger, faults
from flexlogger.errors import MissingExtraError, SinkError
from flexlogger.records import Item, Record
from flexlogger.sinks.memory import MemorySink
from flexlogger.sinks.view import View
from tests.sinks import logged
from tests.sinks.reading import of_csv


@pytest.mark.parametrize(
    ("sink", "library"), [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_a_missing_library_is_named_with_its_extra(sink: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexlogger.views.find_spec", lambda name: None if name == library else find_spec(name))
    with pytest.raises(MissingExtraError) as missing:
        FlexLogger({"a": {}}, sinks=[sink])
    assert str(missing.value) == (
        f"sinks: {sink} needs {library}, which is not installed; install it with: pip install 'flexlogger[{sink}]'"
    )


class Broken(MemorySink):
    def write(self, batch: Sequence[Item]) -> None:
        raise TypeError("a bug")


class Hanging(MemorySink):
    def flush(self) -> None:
        raise SinkError("it is away")


def test_sinks_that_fail_disturb_no_other(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("in the way")
    memory = MemorySink()
    sinks: list[Any] = [
        Broken(),
        Hanging(),
        {"csv": {"path": str(nowhere / "a.csv")}},
        {"tensorboard": {"dir": str(nowhere / "tb")}},
        {"wandb": {"mode": "offline"}},
        memory,
        "csv",
    ]
    with FlexLogger(logged.PLOTS, logged.METERS, sinks=sinks) as stat:
        logged.log_losses(stat, range(20))
        assert not stat.flush(3.0)
        views, folder = stat.status()["views"], stat.folder
    faults.forget()
    assert {name for name, view in views.items() if not view["ok"]} == {"Hanging", "csv", "tensorboard"}
    assert str(nowhere) in views["csv"]["error"]
    assert memory.series("train_loss") == logged.losses(range(20))["train_loss"]
    assert of_csv(folder / "metrics.csv") == logged.losses(range(20))


class Full(MemorySink):
    """Refuses each batch once."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[int] = []

    def write(self, batch: Sequence[Item]) -> None:
        if id(batch) not in self.refused:
            self.refused.append(id(batch))
            raise SinkError("the disk is full")
        super().write(batch)


def test_a_batch_that_is_refused_comes_again_before_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.BACK_OFF_S", (0.01, 0.05))
    sink = Full()
    view = View(sink, "full")
    batches = [[Record(step, 0.0, {"a": float(step)})] for step in range(5)]
    for batch in batches:
        view.offer(batch, None, 0)
    assert view.flush(30)
    assert [step for step, _ in sink.series("a")] == [0, 1, 2, 3, 4]
    assert len(sink.refused) == 5
    assert view.status()["ok"]
    view.close(5)
