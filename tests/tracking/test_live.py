"""What is logged is live on a real server, without a declared plot, and holds the numbers that were logged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
import torch

import flexlogger.runs as wandb
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.memory import MemorySink
from tests.end_to_end.windows import traces, window


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    yield
    wandb.finish()


def run_on(server: ServerProcess, **settings: Any) -> wandb.TrackedRun:
    return wandb.init(project="live", port=server.port, **settings)


def test_numbers_are_curves_over_their_steps(server: ServerProcess) -> None:
    run = run_on(server)
    losses = [math.exp(-n / 10) for n in range(50)]
    for n, loss in enumerate(losses):
        wandb.log({"loss": loss, "epoch": n // 10, "good": n % 2 == 0})
    assert run.flush()
    assert traces(run.session, server.url, "loss") == {"loss": list(enumerate(losses))}
    assert traces(run.session, server.url, "epoch")["epoch"][-1] == (49, 4.0)
    assert traces(run.session, server.url, "good")["good"][:2] == [(0, 1.0), (1, 0.0)]
    assert run.url == f"http://localhost:{server.port}/env/{run.id}"


def test_every_shape_has_its_window(server: ServerProcess) -> None:
    run = run_on(server)
    matrix = np.arange(6.0).reshape(2, 3)
    wandb.log(
        {
            "f1": torch.tensor([0.5, 1.0]),
            "cm": matrix,
            "note": "hello",
            "picture": wandb.Image(np.zeros((4, 4)), caption="black"),
            "pictures": [wandb.Image(np.zeros((4, 4)))] * 3,
            "weights": wandb.Histogram(np.arange(100)),
            "table": wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 5]]),
            "chart": wandb.plot.line(wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 5]]), "x", "y", title="y vs x"),
            "page": wandb.Html("<b>bold</b>"),
            "val": {"loss": 0.5, "acc": 0.25},
        }
    )
    assert run.flush()
    assert traces(run.session, server.url, "f1") == {"f1.0": [(0, 0.5)], "f1.1": [(0, 1.0)]}
    assert window(run.session, server.url, "cm")["content"]["data"][0]["z"] == matrix.tolist()
    assert "hello" in window(run.session, server.url, "note")["content"]
    for picture in ("picture", "pictures"):
        assert window(run.session, server.url, picture)["content"]["src"].startswith("data:image/png;base64,")
    assert sum(window(run.session, server.url, "weights")["content"]["data"][0]["y"]) == 100
    assert "<td" in window(run.session, server.url, "table")["content"]
    chart = window(run.session, server.url, "chart")["content"]
    assert (chart["data"][0]["x"], chart["data"][0]["y"]) == ([1, 3], [2, 5])
    assert "bold" in json.dumps(window(run.session, server.url, "page"))
    assert traces(run.session, server.url, "val.loss") == {"val.loss": [(0, 0.5)]}


def test_a_step_metric_is_the_x_axis(server: ServerProcess) -> None:
    run = run_on(server)
    wandb.define_metric("epoch", hidden=True)
    wandb.define_metric("val/*", step_metric="epoch")
    for epoch in range(3):
        for _ in range(4):
            wandb.log({"loss": 1.0, "epoch": epoch})
        wandb.log({"val/loss": float(10 - epoch)})
    assert run.flush()
    assert traces(run.session, server.url, "val/loss") == {"val/loss": [(0, 10.0), (1, 9.0), (2, 8.0)]}
    assert window(run.session, server.url, "val/loss")["content"]["layout"]["xaxis"]["title"]["text"] == "epoch"
    assert [step for step, _ in traces(run.session, server.url, "loss")["loss"]][:6] == [0, 1, 2, 3, 5, 6]
    with pytest.raises(HTTPError):
        window(run.session, server.url, "epoch")
    assert run.summary["epoch"] == 2.0


def test_a_dashboard_may_govern_what_is_logged(server: ServerProcess, tmp_path: Path) -> None:
    declared = tmp_path / "dashboard.yaml"
    declared.write_text(
        "plots: {losses: {type: line, opts: {ytype: log}}}\n"
        "meters:\n"
        "  train_loss: {type: AverageValueMeter, target: losses}\n"
        "  test_loss: {type: AverageValueMeter, target: losses}\n"
    )
    run = run_on(server, dashboard=declared)
    for n in range(3):
        wandb.log({"train_loss": 1.0 + n, "test_loss": 2.0 + n, "other": 3.0})
    assert run.flush()
    assert traces(run.session, server.url, "losses") == {
        "train_loss": [(0, 1.0), (1, 2.0), (2, 3.0)],
        "test_loss": [(0, 2.0), (1, 3.0), (2, 4.0)],
    }
    assert window(run.session, server.url, "losses")["content"]["layout"]["yaxis"]["type"] == "log"
    assert traces(run.session, server.url, "other")["other"] == [(0, 3.0), (1, 3.0), (2, 3.0)]


def test_preset_plots_are_used_by_name(server: ServerProcess) -> None:
    run = run_on(server, dashboard="loss+acc")
    wandb.log({"train_loss": 0.5, "test_loss": 0.75, "train_acc": 0.9})
    assert run.flush()
    assert traces(run.session, server.url, "loss") == {"train_loss": [(0, 0.5)], "test_loss": [(0, 0.75)]}
    assert traces(run.session, server.url, "acc") == {"train_acc": [(0, 0.9)]}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.cuda
def test_values_on_a_device_arrive_without_a_wait(server: ServerProcess) -> None:
    view = MemorySink()
    run = run_on(server, dashboard={"sinks": [view]})
    for n in range(20):
        wandb.log({"loss": torch.tensor(float(n), device="cuda"), "m": torch.eye(2, device="cuda"), "plain": 1.0})
        wandb.log({"late": torch.tensor(float(n), device="cuda")}, step=1000 + n)
    assert run.flush()
    assert view.series("loss") == [(n, float(n)) for n in range(20)]
    assert view.series("late")[-1] == (1019, 19.0)
    assert wandb.summary["loss"] == 19.0
