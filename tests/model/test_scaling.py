"""A GradScaler beside a TooledModel whose steps its optimizers end: what is left out, and what is shared."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from flexlogger.model.tooled import TooledModel


def test_passes_of_a_step_that_a_scaler_leaves_out_do_not_count() -> None:
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    tooled = TooledModel(model, optimizer, sources=["inputs", "grad_out"], stats=["mean"], scaler=scaler)
    for factor, overflows in ((3.0, True), (1.0, False)):
        for _ in range(2):  # accumulated: all passes of one step count
            scaler.scale((model(torch.full((2, 4), factor)) * factor).sum()).backward()
        if overflows:
            model.weight.grad[0, 0] = math.inf  # type: ignore[index]
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert tooled.latest is not None
    row = tooled.latest.table()["Linear"]
    assert row["inputs"]["mean"] == 1.0
    assert row["grad_out"]["mean"] == pytest.approx(1.0), "at the scale of its own step"
    assert tooled.steps == 1


@pytest.mark.parametrize("sources", [["grads"], ["inputs", "grads", "weights"]])
def test_what_was_read_of_a_step_that_is_left_out_is_read_anew(sources: list[str]) -> None:
    """As before clipping."""
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    tooled = TooledModel(model, optimizer, sources=sources, stats=["max"], scaler=scaler)
    for overflows in (True, False):
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(2, 4)).sum()).backward()
        if overflows:
            model.weight.grad[0, 0] = math.inf  # type: ignore[index]
        scaler.unscale_(optimizer)
        tooled.read_grads()
        scaler.step(optimizer)
        scaler.update()
    assert tooled.latest is not None
    table = tooled.latest.table()["Linear"]
    assert table["grads"]["max"] == pytest.approx(2.0)
    assert table.keys() == set(sources)
    assert tooled.latest.nonfinite == []


def test_optimizers_that_step_at_unequal_rates_share_a_step_and_a_scaler() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    often, seldom = (torch.optim.SGD(part.parameters(), 0.0) for part in model)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    tooled = TooledModel(model, [often, seldom, seldom], sources=["inputs", "grads"], stats=["mean"], scaler=scaler)
    for round in range(2):
        scaler.scale(model(torch.full((2, 4), float(round))).sum()).backward()
        scaler.step(often)
        if round:
            scaler.step(seldom)
        scaler.update()
    assert tooled.steps == 1
    assert tooled.latest is not None
    assert tooled.latest.table()["0"]["inputs"]["mean"] == 0.5, "both passes"
    assert tooled.latest.table()["1"].keys() == {"inputs", "grads"}
