"""A run's folder deleted under a training that goes on."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.runs.card import read_card
from flexlogger.runs.reader import RunReader


def test_training_goes_on_and_the_run_is_there_again(caplog: pytest.LogCaptureFixture) -> None:
    meters = {"train_loss": {"type": "LastValueMeter", "target": "loss"}}
    with FlexLogger({"loss": {}}, meters, sinks=["memory"], config={"lr": 0.1}) as stat:
        folder = Path(stat.folder)
        stat.add(train_loss=0.0)
        stat.log(0)
        assert stat.flush()
        shutil.rmtree(folder)
        step, deadline = 0, time.monotonic() + 20
        while not (list(folder.glob("*.jsonl")) and {"run.json", "owner.json"} <= set(os.listdir(folder))):
            assert time.monotonic() < deadline
            step += 1
            stat.add(train_loss=float(step))
            stat.log(step)
            assert stat.flush()
        stat.add(train_loss=-1.0)
        stat.log(step + 1)
    run = RunReader(folder)
    assert run.series("train_loss").values[-1] == -1.0
    assert run.config == {"lr": 0.1}
    assert run.ended == "finished"
    assert run.damage.missing > 0
    card = read_card(folder)
    assert card is not None
    assert card.summary == {"train_loss": -1.0}
    assert not (folder / "owner.json").exists()
    told = [record.getMessage() for record in caplog.records]
    assert [message for message in told if "was deleted while it was written" in message] == told
    assert len(told) == 1
    assert stat.status()["deleted"] == run.damage.missing
