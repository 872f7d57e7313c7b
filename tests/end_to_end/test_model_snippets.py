"""What users of the original wrote about models must run, and its dashboard must be there to see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page
from torch import nn
from torch.nn import functional as F

from flexlogger import FlexLogger, TooledModelLogger
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces


def test_a_chart_for_each_layer(server: ServerProcess) -> None:
    model = nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 3))
    optim = torch.optim.Adam(model.parameters())

    TMLogger = TooledModelLogger(model, env="seed-model", port=server.port)
    expected: dict[str, list[tuple[float, object]]] = {"weights": [], "inputs": []}
    for i in range(4):
        inputs = torch.rand(2, 20)
        targets = torch.rand(2, 3)
        outputs = model(inputs)
        (F.mse_loss(outputs, targets)).backward()
        optim.step()
        TMLogger.step(log=True)
        expected["weights"].append((i, pytest.approx(float(model[0].weight.detach().mean()), abs=1e-5)))
        expected["inputs"].append((i, pytest.approx(float(inputs.mean()), abs=1e-5)))

    assert TMLogger.flush()
    stat = TMLogger.logger
    first = traces(stat, server.url, "layer_0")
    assert first["layer_0.mean.weights"] == expected["weights"]
    assert first["layer_0.mean.inputs"] == expected["inputs"]
    assert not any("grad_in" in name for name in first), "the first layer's input needs no gradient"
    second = traces(stat, server.url, "layer_1")
    assert {f"layer_1.{s}.{of}" for s in ("mean", "std") for of in ("grad_in", "grad_out", "inputs", "weights")} == set(
        second
    )
    assert TMLogger.status()["share"] > 0
    TMLogger.close()


@pytest.mark.parametrize("mode", ["by_layer", "by_metric", "by_stat"])
def test_the_dashboard_of_a_small_training(mode: str, server: ServerProcess, page: Page, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}
    stat = FlexLogger({"loss": {}}, losses, env=f"model-{mode}", port=server.port, layout={"columns": 3})
    logger = TooledModelLogger(
        model, optimizer, mode, logger=stat, layers="type:Linear", sources=["weights", "grads", "outputs"], every=5
    )
    x = torch.rand(64, 8)
    y = x.square().sum(1, keepdim=True).sin()
    for n in range(200):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        stat.add(train_loss=loss.detach())
        stat.log(n)
        logger.step()
    assert stat.flush()
    assert stat.url is not None
    page.goto(stat.url)
    windows = 2 + {"by_layer": 3, "by_metric": 3, "by_stat": 2}[mode]
    page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {windows}")
    page.screenshot(path=str(tmp_path / "dashboard.png"), full_page=True)
    shown = page.content()
    for name in {"by_layer": ["layer_0", "layer_4"], "by_metric": ["grads", "outputs"], "by_stat": ["mean", "std"]}[
        mode
    ]:
        assert name in shown
    logger.close()
    stat.close()
    assert (tmp_path / "dashboard.png").stat().st_size > 20_000
