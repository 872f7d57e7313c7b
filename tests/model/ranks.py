"""What the ranks of the distributed tests run: `python -m tests.model.ranks CASE RANK WORLD FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from flexlogger.model.names import SOURCES
from flexlogger.model.statistics import STATISTICS
from flexlogger.model.tooled import TooledModel

STATS = [*STATISTICS, "update_ratio"]


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3), nn.Linear(3, 1))


def batch(rank: int) -> torch.Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(rank))


def ddp(rank: int) -> Any:
    net = nn.parallel.DistributedDataParallel(model())
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    tooled = TooledModel(net, optimizer, sources=SOURCES, stats=STATS)
    net(batch(rank)).square().mean().backward()
    optimizer.step()
    return tooled.latest.table() if tooled.latest else None


def frobenius(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.norm()


def fsdp(rank: int) -> Any:
    from torch.distributed.fsdp import fully_shard

    net = model()
    for layer in net:
        if isinstance(layer, nn.Linear):
            fully_shard(layer)
    fully_shard(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    stats = [*STATISTICS, frobenius, "histogram"]
    sources = {"weights": [*stats, "update_ratio"], "grads": stats, "outputs": ["mean"]}
    tooled = TooledModel(net, optimizer, sources=sources)
    net(batch(rank)).square().mean().backward()
    optimizer.step()
    assert tooled.latest is not None
    counts = {f"{row} {source}": bins[1].sum() for (row, source), bins in tooled.latest.histograms().items()}
    return tooled.latest.table(), counts


def due_steps(tooled: TooledModel, net: nn.Module, optimizer: torch.optim.Optimizer, rank: int) -> list[int]:
    """Which of sixty steps of training are due."""
    due = []
    for step in range(60):
        if tooled.due:
            due.append(step)
        net(batch(rank)).square().mean().backward()
        optimizer.step()
    return due


def budget(rank: int) -> list[int]:
    """Rank 1 is slow to collect; what counts is what rank 0 measures."""

    def slow(tensor: torch.Tensor) -> float:
        time.sleep(0.02 * rank)
        return 0.0

    net = nn.parallel.DistributedDataParallel(model())
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    tooled = TooledModel(net, optimizer, sources=["grads"], stats=["norm", slow], budget=0.2)
    return due_steps(tooled, net, optimizer, rank)


def broken(rank: int, where: int) -> Any:
    """An own statistic that raises on one rank; training goes on to the end on both."""

    def raises(tensor: torch.Tensor) -> float:
        if rank == where:
            raise ZeroDivisionError("no")
        return 0.0

    net = nn.parallel.DistributedDataParallel(model())
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    tooled = TooledModel(net, optimizer, sources=["grads"], stats=["norm", raises], budget=0.2)
    due = due_steps(tooled, net, optimizer, rank)
    return tooled.status()["broken"], due


CASES: dict[str, Callable[[int], Any]] = {"ddp": ddp, "fsdp": fsdp, "budget": budget}
CASES |= {f"broken on {where}": partial(broken, where=where) for where in (0, 1)}


def main(case: str, rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=world)
    result = CASES[case](rank)
    assert result is not None
    Path(folder, f"{rank}.json").write_text(json.dumps(result))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
