"""One training script, one config with six sinks: the same numbers are read back from all six."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from flexlogger.runs.reader import RunReader
from tests.sinks.reading import Series, of_csv, of_jsonl, of_mlflow, of_tensorboard, of_wandb

SCRIPT = Path(__file__).parents[2] / "examples" / "six_sinks.py"


def test_the_same_numbers_are_read_back_from_all_six(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = runpy.run_path(str(SCRIPT))
    reader = RunReader(ended["folder"])
    logged: Series = {}
    for name in reader.names():
        steps, values = reader.series(name)
        logged[name] = [*zip(steps.tolist(), values.tolist(), strict=True)]
    losses = {name: logged[name] for name in ("train_loss", "test_loss")}
    assert [step for step, _ in losses["train_loss"]] == [*range(40)]
    assert [step for step, _ in losses["test_loss"]] == [9, 19, 29, 39]

    assert of_csv(tmp_path / "six.csv") == logged
    assert of_jsonl(tmp_path / "six.jsonl") == logged
    assert of_wandb(ended["folder"]) == logged
    assert of_mlflow("sqlite:///mlflow.db", "six/first") == logged
    singles = {name: [(step, float(np.float32(value))) for step, value in found] for name, found in logged.items()}
    assert of_tensorboard(tmp_path / "tensorboard" / "first") == singles
    assert {name: found for name, found in ended["seen"].items() if name in losses} == losses
