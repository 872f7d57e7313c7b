"""A run that has ended is given to sinks that it did not have. What the real libraries wrote is read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.errors import RunLogError, UnknownNameError, ValueRefusedError
from flexlogger.replay.draw import replay
from tests.sinks import logged
from tests.sinks.reading import of_csv, of_jsonl, of_mlflow, of_tensorboard, of_wandb


@pytest.fixture
def ended() -> Path:
    with logged.logging(run="ended") as stat:
        logged.log_losses(stat, range(20))
    return stat.folder


def test_files_hold_what_was_logged(ended: Path) -> None:
    for _ in range(2):  # written anew, never twice
        for to in ("csv", "jsonl", "tensorboard"):
            assert replay(ended, to=to).records == 20
    expected = logged.losses(range(20))
    assert of_csv(ended / "metrics.csv") == of_jsonl(ended / "metrics.jsonl") == expected
    steps = {name: [step for step, _ in found] for name, found in of_tensorboard(ended / "tensorboard").items()}
    assert steps == {name: [step for step, _ in found] for name, found in expected.items()}


def test_trackers_are_sent_what_they_lack(ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"sqlite:///{tmp_path}/runs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for to in ("mlflow", "mlflow", "wandb"):
        replay(ended, to=to)
    assert of_mlflow(uri, "pets/ended") == of_wandb(ended) == logged.losses(range(20))


def test_a_run_that_goes_on_and_a_target_that_is_none_are_refused(ended: Path) -> None:
    with FlexLogger({"loss": {}}, sinks=[], run="goes-on") as stat:
        assert stat.flush()
        with pytest.raises(RunLogError, match="still runs, and may have that sink itself"):
            replay(stat.folder, to="csv")
    with pytest.raises((UnknownNameError, ValueRefusedError), match="did you mean 'tensorboard'"):
        replay(ended, to="tensorbord")
