"""Each statistic of each source in each awkward case, against copies of everything and float64."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flexlogger.model.layers import select_layers
from flexlogger.model.names import SOURCES
from flexlogger.model.snapshot import Snapshot, Table
from flexlogger.model.statistics import STATISTICS
from flexlogger.model.tooled import TooledModel
from tests.model import truth
from tests.model.cases import CASES, Case


@dataclass
class Run:
    """What a tooled model showed of its last step, and the tensors and ratios it should be made from."""

    table: Table
    histograms: dict[tuple[str, str], np.ndarray[Any, Any]]
    values: truth.Values
    update_ratios: dict[str, float]


@cache
def run(name: str) -> Run:
    """Three copies of a model trained alike: one shows the truth, one its statistics, one its histograms (with which
    parameters are read one by one)."""
    case = CASES[name]
    torch.manual_seed(3)
    model = case.model()
    twin = copy.deepcopy(model)
    values, update_ratios = _true(case, twin)
    stats = [*STATISTICS, *["update_ratio"] * (case.optimizer is not None)]
    shown, own = _shown(case, copy.deepcopy(model), stats)
    for ours, theirs in zip(own.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, equal_nan=True)
    binned = _shown(case, model, ["histogram"])[0].histograms() if case.histograms else {}
    return Run(shown.table(), binned, values, update_ratios)


def _true(case: Case, model: nn.Module) -> tuple[truth.Values, dict[str, float]]:
    names = {layer.name: layer.module for layer in select_layers(model)}
    values: truth.Values = {}
    before: dict[str, torch.Tensor] = {}
    optimizer = _optimizer(case, model)
    if optimizer is not None:
        optimizer.register_step_pre_hook(lambda *_: before.update(truth.trained(names)))
    torch.manual_seed(4)
    with truth.recorded(model, names, values, case.scale):
        case.train(model, optimizer, lambda: truth.parameters(names, values), None)
    return values, truth.update_ratios(before, truth.trained(names), values)


def _shown(case: Case, model: nn.Module, stats: list[str]) -> tuple[Snapshot, nn.Module]:
    optimizer = _optimizer(case, model)
    watched = case.watched(model)
    tooled = TooledModel(watched, optimizer, sources=SOURCES, stats=stats, sample="all", **case.options)
    torch.manual_seed(4)
    case.train(watched, optimizer, lambda: None, tooled)
    snapshot = tooled.latest if optimizer else tooled.snapshot()
    assert tooled.status()["broken"] is None
    assert tooled.status()["unseen"] == []
    assert snapshot is not None
    snapshot.table()
    tooled.remove()
    return snapshot, model


_OPTIMIZERS: list[Any] = []
"""Held, since a GradScaler knows them by their ids."""


def _optimizer(case: Case, model: nn.Module) -> Any:
    _OPTIMIZERS.append(case.optimizer(model.parameters()) if case.optimizer else None)
    return _OPTIMIZERS[-1]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", CASES)
def test_every_statistic_is_true(name: str, source: str) -> None:
    seen = run(name)
    expected = {row: truth.statistics(v) for (row, of), v in seen.values.items() if of == source and v}
    if source == "weights":
        for row, ratio in seen.update_ratios.items():
            expected[row]["update_ratio"] = ratio
    got = {row: sources[source] for row, sources in seen.table.items() if source in sources}
    assert got.keys() == expected.keys()
    for row, statistics in expected.items():
        scale = max(abs(statistics["min"]), abs(statistics["max"]))
        assert got[row].keys() == statistics.keys()
        for statistic, value in statistics.items():
            assert truth.close(got[row][statistic], value, scale), (row, statistic, got[row][statistic], value)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.histograms])
def test_every_histogram_is_true(name: str, source: str) -> None:
    seen = run(name)
    expected = {row: v for (row, of), v in seen.values.items() if of == source and v}
    got = {row: histogram for (row, of), histogram in seen.histograms.items() if of == source}
    assert got.keys() == expected.keys()
    for row, tensors in expected.items():
        assert truth.same_histogram(got[row], tensors), (row, got[row])
