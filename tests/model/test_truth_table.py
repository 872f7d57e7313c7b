"""Each statistic of each source in each awkward case, against copies of everything and float64."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch

from flexlogger.model.layers import select_layers
from flexlogger.model.names import SOURCES
from flexlogger.model.snapshot import Table
from flexlogger.model.statistics import STATISTICS
from flexlogger.model.tooled import TooledModel
from tests.model import truth
from tests.model.cases import CASES


@cache
def run(name: str) -> tuple[Table, truth.Values, set[str]]:
    """The table of a tooled model, what it should say, and the frozen rows."""
    case = CASES[name]
    torch.manual_seed(3)
    model = case.model()
    twin = copy.deepcopy(model)
    names = {layer.name: layer.module for layer in select_layers(twin)}
    values: truth.Values = {}
    optimizer = case.optimizer(twin.parameters()) if case.optimizer else None
    torch.manual_seed(4)
    with truth.recorded(twin, names, values, case.scale):
        case.train(twin, optimizer, lambda: truth.parameters(names, values), None)

    optimizer = case.optimizer(model.parameters()) if case.optimizer else None
    tooled = TooledModel(model, optimizer, sources=SOURCES, stats=STATISTICS, **case.options)
    torch.manual_seed(4)
    case.train(model, optimizer, lambda: None, tooled)
    table = tooled.latest.table() if tooled.latest is not None and optimizer else tooled.table(show=False)
    assert tooled.status()["broken"] is None
    assert tooled.status()["unseen"] == []
    frozen = set(tooled.latest.frozen) if tooled.latest is not None else set()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    tooled.remove()
    return table, values, frozen


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", CASES)
def test_every_statistic_is_true(name: str, source: str) -> None:
    table, values, _ = run(name)
    expected = {row: truth.statistics(v) for (row, of), v in values.items() if of == source and v}
    got = {row: sources[source] for row, sources in table.items() if source in sources}
    assert got.keys() == expected.keys()
    for row, statistics in expected.items():
        scale = max(abs(statistics["min"]), abs(statistics["max"]))
        assert got[row].keys() == statistics.keys()
        for statistic, value in statistics.items():
            assert truth.close(got[row][statistic], value, scale), (row, statistic, got[row][statistic], value)
