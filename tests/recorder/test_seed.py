"""The calls as they were first written down, on a small model; the table is compared with its printed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import flexlogger.runs as runs
from flexlogger import Recorder, RecorderHelper, WandbRecorder
from flexlogger.runs.reader import RunReader

FORM = """\
\t valid_loss    acc           
\t 0.0812        0.9753        
\t 0.0562        0.9845        
\t 0.0536        0.9804        
\t 0.0427        0.9857        
"""
"""As the description shows it (its last line ends two blanks after the number)."""


@pytest.fixture(autouse=True)
def no_dashboard() -> Iterator[None]:
    runs.init(project="recorded", mode="offline")
    yield
    runs.finish()


def torch_mean(x: Any) -> Any:
    return torch.stack(x).mean().item()


def test_the_printed_table_has_the_form_of_the_description(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    rows = [(0.0812, 0.9753), (0.0562, 0.9845), (0.0536, 0.9804), (0.0427, 0.9857)]

    @recorder.metric("valid_loss")
    def loss(value: float) -> float:
        return value

    @recorder.metric("acc")
    def accuracy(value: float) -> float:
        return value

    for one, other in rows:
        with recorder(train=False):
            loss(one)
            accuracy(other)
    assert capsys.readouterr().out == FORM


def test_training_and_validation_as_described(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    recorder = Recorder()

    class TotalLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loss = nn.CrossEntropyLoss()

        @recorder.track_scalar("train_loss", torch_mean)
        @recorder.metric("valid_loss", torch_mean)
        def forward(self, inp: torch.Tensor, targ: torch.Tensor) -> Any:
            return self.loss(inp, targ)

    helper = RecorderHelper(recorder)
    metric = helper.metric(torch_mean, acc=MulticlassAccuracy(10))
    assert isinstance(metric["acc"], MulticlassAccuracy)
    model, criterion = nn.Linear(4, 10), TotalLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    data = [(torch.randn(8, 4), torch.randint(10, (8,))) for _ in range(5)]
    trained, validated = [], []
    for _ in range(2):
        model.train()
        for inputs, labels in data:
            with recorder(train=True):
                (loss := criterion(model(inputs), labels)).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            trained.append(loss.item())
        model.eval()
        here = []
        with recorder(training=False), torch.inference_mode():
            for inputs, labels in data:
                preds = model(inputs)
                here.append((criterion(preds, labels), metric["acc"](preds, labels)))
        validated.append([torch_mean([entry[n] for entry in here]) for n in (0, 1)])
    run = recorder.run
    assert run.flush()
    reader = RunReader(run.dir)
    series = {name: [*zip(*map(list, reader.series(name)), strict=True)] for name in reader.names()}
    assert series["train_loss"] == list(enumerate(trained))
    assert series["valid_loss"] == [(4, validated[0][0]), (9, validated[1][0])]
    assert series["acc"] == [(4, validated[0][1]), (9, validated[1][1])]
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["valid_loss", "acc"]
    assert [row.split() for row in rows] == [[f"{value:.4f}" for value in row] for row in validated]


def test_wandb_recorder_takes_the_words_of_a_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = {"project": "Your project name", "tags": ["a"], "notes": "a brief description of your experiment"}
    recorder = WandbRecorder(**project, mode="offline")

    @recorder.metric("valid_loss")
    def loss() -> float:
        return 0.5

    with recorder(train=False):
        loss()
    run = recorder.run
    assert (run.project, run.tags, run.notes) == (project["project"], ("a",), project["notes"])
    recorder.finish()
    assert run.finished
    assert capsys.readouterr().out.splitlines()[-1].strip() == "0.5000"
