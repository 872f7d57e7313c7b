"""Rows on an accelerator: a few kernels a tensor, results left where they are until all are stacked."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch

from flexlogger.model.need import Need
from flexlogger.model.statistics import COLUMNS, M2, SQUARE, N

Matrix = TypeVar("Matrix", torch.Tensor, np.ndarray[Any, Any])


def measure_on_device(flat: torch.Tensor, need: Need) -> list[torch.Tensor]:
    """Raw columns of one tensor that is not empty: 0-d tensors of float32 (of float64, if it is of that).

    Raw means variance in place of m2, norm in place of the sum of squares, and nothing in the column n (`finished`
    puts that right). Values around a large mean lose nothing: var_mean is Welford's on CUDA.
    """
    flat = flat if flat.dtype == torch.float64 else flat.float()
    raw = [flat.new_zeros(())] * len(COLUMNS)
    if need.spread:
        raw[2], raw[1] = torch.var_mean(flat, correction=0)
    else:
        raw[1] = flat.mean()
    if need.square:
        raw[3] = torch.linalg.vector_norm(flat)
    if need.extremes:
        raw[4], raw[5] = torch.aminmax(flat)
    if need.abs:
        raw[6] = torch.linalg.vector_norm(flat, 1)
    if need.zeros:
        raw[7] = (flat == 0).sum().to(flat.dtype)
    if need.bad:
        raw[8] = (~flat.isfinite()).sum().to(flat.dtype)
    return raw


def nothing_on_device(like: torch.Tensor) -> list[torch.Tensor]:
    """Raw columns of an empty tensor, as a rank has it that holds no part of a sharded one."""
    zero, inf = like.new_zeros((), dtype=torch.float32), like.new_full((), torch.inf, dtype=torch.float32)
    return [zero, zero, zero, zero, inf, -inf, zero, zero, zero]


def stacked(raw: list[list[torch.Tensor]]) -> torch.Tensor:
    """(K, 9) float64 (float32 on Apple's GPUs) of raw columns, on their device."""
    device = raw[0][0].device
    wide = torch.float32 if device.type == "mps" else torch.float64
    if all(columns[1].dtype == raw[0][1].dtype for columns in raw):
        return torch.stack([column for columns in raw for column in columns]).view(-1, len(COLUMNS)).to(wide)
    return torch.stack([column.to(wide) for columns in raw for column in columns]).view(-1, len(COLUMNS))


def finished(raw: Matrix, n: Matrix) -> Matrix:
    """Rows (K, 9) of raw ones, in place; `n` (K,) are the numbers of entries."""
    raw[:, N] = n
    raw[:, M2] *= n
    raw[:, SQUARE] **= 2
    return raw
