"""Tensors that are spread over ranks (DTensor): rows of the parts become rows of the whole.

Every rank has to come here for the same tensors in the same order.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

from flexlogger.model.statistics import HIGH, LOW, M2, MEAN, N

Groups = tuple[Any, ...]
"""The process groups, one a sharded dimension of the mesh, that hold the parts of a tensor."""


def is_sharded(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a DTensor."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Any) -> tuple[torch.Tensor, Groups]:
    """This rank's part of a DTensor, and the groups to add it up over (none where every rank has it all)."""
    from torch.distributed.tensor import Replicate

    if any(placement.is_partial() for placement in tensor.placements):
        whole = [Replicate() if placement.is_partial() else placement for placement in tensor.placements]
        tensor = tensor.redistribute(placements=whole)
    mesh = tensor.device_mesh
    groups = tuple(mesh.get_group(dim) for dim, placement in enumerate(tensor.placements) if placement.is_shard())
    return tensor.detach().to_local(), groups


def reduce(rows: torch.Tensor, groups: Groups) -> torch.Tensor:
    """Rows (K, 9) of the whole from every rank's rows of its parts: exact, two sums and one maximum a group.

    A rank without a part brings a row of n = 0, whose least entry is inf and largest -inf.
    """
    for group in groups:
        rows = _reduce(rows, group)
    return rows


def _reduce(rows: torch.Tensor, group: Any) -> torch.Tensor:
    import torch.distributed as dist

    n, mean = rows[:, N].clone(), rows[:, MEAN].clone()
    ends = torch.stack([-rows[:, LOW], rows[:, HIGH]])
    dist.all_reduce(ends, dist.ReduceOp.MAX, group=group)
    sums = rows.clone()
    sums[:, MEAN] = n * mean
    dist.all_reduce(sums, group=group)
    sums[:, MEAN] /= sums[:, N].clamp(min=1)
    m2 = rows[:, M2] + n * (mean - sums[:, MEAN]).square()
    dist.all_reduce(m2, group=group)
    sums[:, M2], sums[:, LOW], sums[:, HIGH] = m2, -ends[0], ends[1]
    return sums
