"""A script reads the summary that the run's card shows, while it trains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import flexlogger.runs as wandb
from flexlogger import UnknownNameError, ValueRefusedError
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.runs.card import read_card


@pytest.fixture
def run() -> Iterator[wandb.TrackedRun]:
    yield wandb.init("p", mode="offline")
    wandb.finish()


def test_the_last_value_is_there_at_once(run: wandb.TrackedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> bool:
        raise AssertionError("reading a last value waits for nothing")

    monkeypatch.setattr(ThreadPipe, "flush", forbidden)
    for n in range(3):
        run.log({"loss": float(n), "acc": torch.tensor(n / 4)})
        assert (run.summary["loss"], run.summary.acc) == (float(n), n / 4)
    run.summary["best"] = 3
    assert run.summary["best"] == 3
    monkeypatch.undo()


def test_what_rules_ask_for_is_what_was_logged_until_now(run: wandb.TrackedRun) -> None:
    run.define_metric("*", summary="max")
    run.define_metric("val/*", summary="min, mean")
    run.define_metric("acc", summary="best,last", goal="maximize")
    run.define_metric("time", summary="none")
    expected: list[float] = []
    for value in np.random.default_rng(0).normal(size=200).tolist():
        run.log({"val/loss": value, "acc": value, "lr": value, "time": value})
        expected.append(value)
        if len(expected) % 50 == 0:
            assert run.summary["val/loss"] == {"min": min(expected), "mean": pytest.approx(np.mean(expected))}
            assert run.summary["acc"] == {"last": value, "best": max(expected)}
            assert run.summary["lr"] == {"max": max(expected)}
    assert "time" not in run.summary
    before = run.summary.as_dict()
    wandb.finish()
    card = read_card(run.dir)
    assert card is not None
    for after in (card.summary, run.summary.as_dict()):  # a mean's last digit depends on how values came in batches
        assert after.pop("val/loss") == pytest.approx(before["val/loss"])
        assert after == {name: value for name, value in before.items() if name != "val/loss"}


def test_values_of_an_open_step_count(run: wandb.TrackedRun) -> None:
    run.define_metric("loss", summary="min")
    run.log({"loss": 1.0}, step=7)
    assert run.summary["loss"] == {"min": 1.0}


def test_what_is_set_by_hand_goes_before_what_is_logged(run: wandb.TrackedRun) -> None:
    run.log({"loss": 1.0})
    run.summary.update({"loss": 0.25, "sizes": np.arange(3), "nested": {"acc": torch.tensor(0.5)}})
    run.summary.note = "good"
    run.log({"loss": 2.0})
    expected = {"loss": 0.25, "sizes": [0, 1, 2], "nested": {"acc": 0.5}, "note": "good"}
    assert run.summary.as_dict() == expected
    del run.summary["note"]
    assert "note" not in run.summary
    wandb.finish()
    card = read_card(run.dir)
    assert card is not None
    assert card.summary == {key: value for key, value in expected.items() if key != "note"}


def test_what_is_deleted_is_gone_until_it_is_logged_again(run: wandb.TrackedRun) -> None:
    run.log({"loss": 1.0})
    del run.summary["loss"]
    assert run.summary.get("loss") is None
    run.log({"loss": 2.0})
    assert run.summary["loss"] == 2.0
    assert run.summary.as_dict() == {"loss": 2.0}


def test_not_a_number_is_what_it_is_at_the_last(run: wandb.TrackedRun) -> None:
    run.define_metric("low", summary="min")
    run.log({"loss": 1.0, "low": 1.0})
    run.log({"loss": math.nan, "low": math.nan})
    assert math.isnan(run.summary["loss"])
    assert run.summary["low"] == {"min": 1.0}


def test_a_name_that_is_not_there_comes_with_the_nearest(run: wandb.TrackedRun) -> None:
    run.log({"loss": 1.0})
    with pytest.raises(UnknownNameError, match="summary: unknown entry 'los'; did you mean 'loss'"):
        run.summary["los"]
    with pytest.raises(AttributeError, match="did you mean 'loss'"):
        _ = run.summary.lss
    with pytest.raises(ValueRefusedError, match=r"write summary\['update'\]"):
        run.summary.update = 3  # type: ignore[assignment, method-assign]
    with pytest.raises(ValueRefusedError, match="summary: expected a dict"):
        run.summary.update([1])  # type: ignore[arg-type]


def test_what_holds_itself_is_refused(run: wandb.TrackedRun) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    with pytest.raises(ValueRefusedError, match=r"summary: rows\[0\]: this list or mapping holds itself"):
        run.summary["rows"] = cyclic
