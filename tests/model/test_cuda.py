"""On a GPU: nothing waits for it, buffers are pinned, and the numbers are those of the CPU."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.modellogger import TooledModelLogger
from flexlogger.model.names import SOURCES, STATISTICS
from flexlogger.model.plane import InformationPlane
from flexlogger.model.shelves import Shelves
from flexlogger.model.statistics import measure, needs
from flexlogger.model.tooled import TooledModel
from flexlogger.sinks.memory import MemorySink
from tests.model.cases import data, total

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


@contextmanager
def nothing_may_wait() -> Iterator[None]:
    """Any synchronisation that torch knows of raises, in every thread."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(8 * 36, 300),
        nn.Linear(300, 2),
    )


def spread(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float().max() - tensor.float().min()


EVERYTHING: dict[str, Any] = {
    source: [*STATISTICS, spread, "histogram", *(["update_ratio"] if source == "weights" else [])] for source in SOURCES
}


def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, weights: torch.Tensor) -> None:
    optimizer.zero_grad()
    (model(x).square() * weights).sum().backward()
    optimizer.step()


def test_the_control_raises() -> None:
    value = torch.ones((), device="cuda")
    with nothing_may_wait(), pytest.raises(RuntimeError, match="synchroniz"):
        value.item()


def test_whole_training_steps_never_wait_and_buffers_are_pinned() -> None:
    model = net().cuda()
    optimizer = torch.optim.Adam(model.parameters())
    tooled = TooledModel(model, optimizer, sources=EVERYTHING)
    x, weights = data(16, 3, 8, 8).cuda(), torch.linspace(0.5, 1.5, 32).view(16, 2).cuda()
    step(model, optimizer, x, weights)  # the libraries behind torch initialise themselves, with waits of their own
    with nothing_may_wait():
        for _ in range(5):
            step(model, optimizer, x, weights)
    latest = tooled.latest
    assert latest is not None
    assert tooled.status()["broken"] is None
    copies = latest._gathered._waits
    assert copies
    for copied in copies:
        assert copied.event is not None
        assert all(host.is_pinned() for host in copied.hosts)
    assert latest.table()["0"].keys() == set(SOURCES) - {"grad_in"}


def test_the_numbers_are_those_of_the_cpu() -> None:
    here = net()
    there = copy.deepcopy(here).cuda()
    x, weights = data(16, 3, 8, 8), torch.linspace(0.5, 1.5, 32).view(16, 2)
    tables = []
    for model, place in ((here, "cpu"), (there, "cuda")):
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        tooled = TooledModel(model, optimizer, sources=EVERYTHING)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose ten bits would show
            step(model, optimizer, x.to(place), weights.to(place))
        assert tooled.latest is not None
        tables.append(tooled.latest.table())
        tooled.remove()
    for row, sources in tables[0].items():
        for source, stats in sources.items():
            scale = max(abs(stats["min"]), abs(stats["max"]))
            for name, value in stats.items():
                assert tables[1][row][source][name] == pytest.approx(value, rel=2e-3, abs=1e-4 * scale), (
                    row,
                    source,
                    name,
                )


def test_a_logger_reads_back_in_the_background() -> None:
    model, view = net().cuda(), MemorySink()
    optimizer = torch.optim.Adam(model.parameters())
    sources = {"weights": ["norm", "histogram"], "grads": ["norm"], "outputs": ["mean", "zero_fraction"]}
    logger = TooledModelLogger(model, optimizer, "by_metric", sources=sources, sinks=[view])
    x, weights = data(16, 3, 8, 8).cuda(), torch.ones(16, 2).cuda()
    step(model, optimizer, x, weights)
    logger.step()
    with nothing_may_wait():
        for _ in range(20):
            step(model, optimizer, x, weights)
            logger.step()
    logger.close()
    assert [record.step for record in view.records] == list(range(21))
    assert logger.logger.status()["dropped"] == {}


@pytest.mark.parametrize("fused", [False, True])
def test_a_scaler_is_taken_out_without_waiting(fused: bool) -> None:
    model = net().cuda()
    twin = copy.deepcopy(model)
    x, weights = data(16, 3, 8, 8).cuda(), torch.ones(16, 2).cuda()
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.0, fused=fused)
    tooled = TooledModel(model, optimizer, sources=["grads", "grad_out"], stats=["norm"], scaler=scaler)

    def backward() -> None:
        optimizer.zero_grad()
        scaler.scale((model(x).square() * weights).sum()).backward()

    backward()
    scaler.step(optimizer)  # waits by itself, unless the optimizer is fused
    with nothing_may_wait():
        backward()
    scaler.step(optimizer)
    assert tooled.latest is not None
    assert tooled.latest.step == 1
    output = twin(x)
    (output.square() * weights).sum().backward()
    table = tooled.latest.table()
    assert table["5"]["grad_out"]["norm"] == pytest.approx(float(2 * output.detach().norm()), rel=1e-3)
    for row in ("0", "1", "4", "5"):
        expected = float(twin.get_submodule(row).weight.grad.norm())
        assert table[row]["grads"]["norm"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.complex64])
def test_other_types(dtype: torch.dtype) -> None:
    tensor = (data(40, 50) * 30).to(dtype)
    need = needs(STATISTICS)
    gather = Gather(need, Shelves())
    gather.add(0, tensor.cuda(), Wanted(need))
    gathered = gather.finish()
    gathered.wait()
    row = gathered.read().rows[0]
    assert row == pytest.approx(measure(tensor, need), rel=1e-3, abs=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_data_parallel_pools_its_replicas() -> None:
    model = net().cuda()
    wrapped = nn.DataParallel(model)
    tooled = TooledModel(wrapped, sources=["inputs", "outputs", "grad_out"], stats=["max"])
    x = data(16, 3, 8, 8).cuda()
    with torch.no_grad():
        wrapped(100 * x)
    total(wrapped(x)).backward()
    assert tooled.table(show=False)["0"]["inputs"]["max"] == pytest.approx(float(x.max()))
    assert tooled.status()["unseen"] == []


def test_the_plane_brings_its_inputs_where_a_wrapper_would() -> None:
    model = nn.Sequential(nn.Linear(8, 3), nn.Tanh())
    inputs = data(256, 8)
    expected = InformationPlane(model, inputs, inputs[:, 0] > 0, bins=4).measure(0)
    plane = InformationPlane(nn.DataParallel(model.cuda()), inputs, inputs[:, 0] > 0, bins=4)
    assert plane.measure(0)["i_ty"]["1"] == pytest.approx(expected["i_ty"]["1"], abs=0.05)
