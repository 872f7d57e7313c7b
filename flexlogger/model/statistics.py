"""From a tensor to a row of moments, and from rows to statistics: pure functions, each formula once.

A row holds what every statistic can be made from, and rows add up: those of two halves give that of the whole
(`merge`). Empty tensors have no row. Half precisions are accumulated in float32, the rest in float64 or the tensor's
own float32 in blocks; sums over blocks are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import torch

from flexlogger.model.need import Need
from flexlogger.model.sweep import sweep

Rows = np.ndarray[Any, np.dtype[np.float64]]

COLUMNS = ("n", "mean", "m2", "square", "low", "high", "abs", "zeros", "bad")
"""Entries; mean; sum of squared deviations from it; sum of squares; least; largest; sum of absolute values; entries
that are 0; entries that are NaN or infinite. What was not asked for is 0."""
N, MEAN, M2, SQUARE, LOW, HIGH, ABS, ZEROS, BAD = range(len(COLUMNS))
SCRATCH = 2**18
TINY = 1e-30
"""A mean square below this is of entries whose squares float32 cannot hold."""
CANCELLED = 1e-3
"""Below this share of the sum of squares, squared deviations are not taken from it by subtraction."""


class Statistic(msgspec.Struct, frozen=True):
    """One statistic of an array: what it needs, its formula over rows (K, 9) → (K,), and a line for people."""

    name: str
    need: Need
    of: Callable[[Rows], Rows]
    doc: str


def _std(rows: Rows) -> Rows:
    n = rows[:, N]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, np.sqrt(rows[:, M2] / (n - 1)), np.nan)


STATISTICS = {
    statistic.name: statistic
    for statistic in (
        Statistic("mean", Need(), lambda rows: rows[:, MEAN], "mean"),
        Statistic(
            "std", Need(spread=True), _std, "standard deviation, n - 1 in the denominator; none of a single number"
        ),
        Statistic(
            "norm",
            Need(square=True),
            lambda rows: np.sqrt(rows[:, SQUARE]),
            "Euclidean norm: root of the sum of squares",
        ),
        Statistic("min", Need(extremes=True), lambda rows: rows[:, LOW], "least entry"),
        Statistic("max", Need(extremes=True), lambda rows: rows[:, HIGH], "largest entry"),
        Statistic("abs_mean", Need(abs=True), lambda rows: rows[:, ABS] / rows[:, N], "mean of absolute values"),
        Statistic(
            "zero_fraction", Need(zeros=True), lambda rows: rows[:, ZEROS] / rows[:, N], "share of entries that are 0"
        ),
        Statistic("nonfinite_fraction", Need(bad=True), lambda rows: rows[:, BAD] / rows[:, N], "share of NaN and inf"),
    )
}
"""The statistics that come from a row, by name."""


def needs(names: Iterable[str]) -> Need:
    """Everything that statistics of these names need.

    >>> needs(["mean", "std"])
    Need(spread=True, square=False, extremes=False, abs=False, zeros=False, bad=False)
    """
    total = Need()
    for name in names:
        total |= STATISTICS[name].need
    return total


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor's entries as a flat real tensor in any order, without a copy where its memory has no gaps.

    Complex entries count as their magnitude, quantised ones as what they stand for; whole numbers and booleans become
    float64, unusual floats float32.

    >>> dense(torch.tensor([[3 + 4j]])), dense(torch.tensor([True, False]))
    (tensor([5.]), tensor([1., 0.], dtype=torch.float64))
    """
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_complex():
        tensor = tensor.abs()
    elif not tensor.is_floating_point():
        tensor = tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)
    elif tensor.dtype not in _SUMMED:
        tensor = tensor.float()
    if tensor.is_contiguous():
        return tensor.view(-1)
    if torch.ops.aten.is_non_overlapping_and_dense(tensor):
        return tensor.as_strided((tensor.numel(),), (1,))
    return tensor.reshape(-1)


_SUMMED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def measure(tensor: torch.Tensor, need: Need) -> Rows:
    """The row of one tensor on the CPU, (9,). Sparse tensors count with all the zeros they do not store.

    >>> row = measure(torch.tensor([3.0, -4.0]), Need(square=True) | Need(extremes=True))
    >>> row[[N, MEAN, SQUARE, LOW, HIGH]].tolist()
    [2.0, -0.5, 25.0, -4.0, 3.0]
    """
    if tensor.layout == torch.strided:
        return _measure_dense(dense(tensor), need)
    stored = stored_values(tensor)
    left = tensor.numel() - stored.numel()
    rows = [_measure_dense(dense(stored), need)] if stored.numel() else []
    if left:
        rows.append(np.array([left, 0, 0, 0, 0, 0, 0, left, 0], np.float64))
    return merge(np.array(rows))


def stored_values(tensor: torch.Tensor) -> torch.Tensor:
    """What a sparse tensor stores, each place once."""
    if tensor.layout == torch.sparse_coo:
        return tensor.detach().coalesce().values()
    return tensor.detach().values()


def _measure_dense(flat: torch.Tensor, need: Need) -> Rows:
    n = flat.numel()
    row = np.zeros(len(COLUMNS))
    found = sweep(flat, need)
    row[N], row[MEAN] = n, found.total / n
    row[SQUARE] = found.square
    if not (math.isfinite(row[MEAN]) and math.isfinite(row[SQUARE])):
        row[BAD] = n - int(flat.isfinite().sum())
        if not row[BAD]:  # sums that do not fit into float32
            return exact(flat.to(torch.float64).numpy())
        row[M2] = math.nan
    elif (need.spread or need.square) and row[SQUARE] < n * TINY and bool(flat.any()):
        row[SQUARE] = _around(flat, 0.0)[1]
        row[M2] = _spread(flat, row)
    elif need.spread:
        row[M2] = _spread(flat, row)
    if need.extremes:
        row[LOW], row[HIGH] = found.low, found.high
    row[ABS], row[ZEROS] = found.abs, found.zeros
    return row


def _spread(flat: torch.Tensor, row: Rows) -> float:
    """Squared deviations from the mean, by subtraction where that loses nothing."""
    spread: float = row[SQUARE] - row[N] * row[MEAN] ** 2
    return spread if spread >= CANCELLED * row[SQUARE] else _around(flat, row[MEAN])[0]


def _around(flat: torch.Tensor, mean: float) -> tuple[float, float]:
    """Sum of squared deviations from the mean, and from what is given as the mean, piece by piece in float64."""
    total = square = 0.0
    for part in torch.split(flat, SCRATCH):
        away = part.double() - mean
        total, square = total + float(away.sum()), square + float(away.square_().sum())
    return max(0.0, square - total**2 / flat.numel()), square


def exact(values: Rows) -> Rows:
    """The row of float64 values, all columns, NaN and infinities counted: for arrays where shortcuts have failed.

    >>> exact(np.array([1.0, np.inf]))[[MEAN, HIGH, BAD]].tolist()
    [inf, inf, 1.0]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        mean = values.mean()
        columns = {
            N: values.size,
            MEAN: mean,
            M2: np.square(values - mean).sum(),
            SQUARE: np.square(values).sum(),
            LOW: values.min(),
            HIGH: values.max(),
            ABS: np.abs(values).sum(),
            ZEROS: (values == 0).sum(),
            BAD: values.size - np.isfinite(values).sum(),
        }
    return np.array([columns[i] for i in range(len(COLUMNS))], np.float64)


def merge(rows: Rows) -> Rows:
    """The row of everything that the rows (K, 9) are of (Chan, Golub & LeVeque 1979).

    >>> parts = np.stack([exact(np.array([1.0, 2.0])), exact(np.array([6.0]))])
    >>> np.allclose(merge(parts), exact(np.array([1.0, 2.0, 6.0])))
    True
    """
    n = rows[:, N].sum()
    merged: Rows = rows.sum(0)
    if len(rows) == 1:
        return merged
    with np.errstate(invalid="ignore"):
        merged[MEAN] = (rows[:, N] * rows[:, MEAN]).sum() / n
        merged[M2] = (rows[:, M2] + rows[:, N] * np.square(rows[:, MEAN] - merged[MEAN])).sum()
    merged[LOW], merged[HIGH] = rows[:, LOW].min(), rows[:, HIGH].max()
    return merged
