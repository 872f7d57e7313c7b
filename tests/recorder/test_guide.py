"""The guides to the Recorder and to sinks run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import flexlogger.runs as runs
from flexlogger.config.load import load

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.S | re.M)


def test_the_guide_to_the_recorder_runs_and_prints_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    whole, wandb, loop = blocks("recorder.md", "python")
    torch.manual_seed(0)
    runs.init(project="guide", mode="offline")
    exec(whole, {})
    exec(wandb.replace("**project)", '**project, mode="offline")'), {})
    exec(loop, {})
    runs.finish()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.rstrip() == "\t valid_loss    acc"
    assert all(re.fullmatch(r"\t \d\.\d{4}        \d\.\d{4} +", row) for row in rows)
    assert len(rows) == 2


def test_the_guide_to_sinks_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = blocks("sinks.md", "yaml")
    tmp_path.joinpath("dashboard.yaml").write_text(config, encoding="utf-8")
    sinks = [sink.type for sink in load("dashboard.yaml").sinks]
    assert sinks == ["visdom", "terminal", "csv", "jsonl", "tensorboard", "wandb", "mlflow"]
    (code,) = blocks("sinks.md", "python")
    exec(code, {})
    assert capsys.readouterr().out == "it diverges at step 7\n"
