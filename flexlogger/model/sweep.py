"""One sweep over an array: every sum while a piece of it is in the processor's cache, memory read once.

numpy's matrix product calls the BLAS for a row at a time, which sums squares about twice as fast as anything else that
Python can reach. It runs on the calling thread alone, and keeps the interpreter's lock: this is for the thread that
trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import numpy as np
import torch

from flexlogger.model.need import Need

Array = np.ndarray[Any, Any]

BLOCK = 4096
"""Entries summed in the array's own precision before float64 takes over. The norm that torch finds of 10 million
float32 is wrong by 3.7e-4; in blocks, by 1e-7."""
PIECE = 64 * BLOCK
"""A megabyte of float32: what stays in a core's own cache."""


class Totals(msgspec.Struct):
    """What a sweep has found; what was not asked for is 0."""

    total: float = 0.0
    square: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    abs: float = 0.0
    zeros: int = 0


def sweep(flat: torch.Tensor, need: Need) -> Totals:
    """Sums over a flat tensor of floats on the CPU, of one entry or more; NaN and infinities go through.

    >>> found = sweep(torch.tensor([3.0, -4.0]), Need(square=True, extremes=True))
    >>> found.total, found.square, found.low, found.high
    (-1.0, 25.0, -4.0, 3.0)
    """
    found = Totals()
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        sums = _Sums(flat, need.square or need.spread)
        for piece in _pieces(flat):
            if need.extremes:  # first: they fetch a piece from memory faster than sums do; a NaN stays
                found.low = float(np.minimum(found.low, np.minimum.reduce(piece)))
                found.high = float(np.maximum(found.high, np.maximum.reduce(piece)))
            sums.add(piece)
            if need.abs:
                found.abs += _dot(np.abs(piece))
            if need.zeros:
                found.zeros += piece.size - int(np.count_nonzero(piece))
        found.total, found.square = sums.take()
    return found


class _Sums:
    """Sums of the pieces of a tensor, and of their squares if wanted, block by block until the end: most of what one
    more call costs is not its arithmetic."""

    def __init__(self, flat: torch.Tensor, squares: bool) -> None:
        dtype = np.float64 if flat.dtype is torch.float64 else np.float32
        self._blocks = np.zeros((2, flat.numel() // BLOCK, 1, 1), dtype)
        self._ones = _ones(np.dtype(dtype))
        self._squares = squares
        self._at = 0
        self._rest = np.zeros(2)

    def add(self, piece: Array) -> None:
        """Take the next piece; only the last one may end within a block."""
        full = len(piece) // BLOCK
        rows = piece[: full * BLOCK].reshape(full, 1, BLOCK)
        here = slice(self._at, self._at + full)
        np.matmul(rows, self._ones, out=self._blocks[0, here])
        if self._squares:
            np.matmul(rows, rows.reshape(full, BLOCK, 1), out=self._blocks[1, here])
        self._at += full
        rest = piece[full * BLOCK :]
        if len(rest):
            self._rest += _dot(rest), _dot(rest, rest) if self._squares else 0.0

    def take(self) -> tuple[float, float]:
        """The sum of all entries, and of their squares."""
        total, square = self._blocks.sum((1, 2, 3), dtype=np.float64) + self._rest
        return float(total), float(square)


def _pieces(flat: torch.Tensor) -> Iterator[Array]:
    """The array bit by bit, half precisions as float32."""
    if flat.dtype in (torch.float32, torch.float64):
        values = flat.numpy()
        for at in range(0, len(values), PIECE):
            yield values[at : at + PIECE]
    else:
        for part in torch.split(flat, PIECE):
            yield part.float().numpy()


def _dot(values: Array, others: Array | None = None) -> float:
    return float(dots(values[None], others if others is None else others[None])[0])


def dots(values: Array, others: Array | None = None) -> Array:
    """Sums of products along rows of (K, n) arrays of one type, as (K,) float64; with ones where there are no `others`.

    >>> dots(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [3.0, 7.0]
    """
    count, size = values.shape
    full = size // BLOCK * BLOCK
    if not full:
        return _short(values, others)
    blocks = values[:, :full].reshape(count, -1, 1, BLOCK)
    columns = _ones(values.dtype) if others is None else others[:, :full].reshape(count, -1, BLOCK, 1)
    sums: Array = np.matmul(blocks, columns)[..., 0, 0].sum(1, dtype=np.float64)
    if full < size:
        sums += _short(values[:, full:], others if others is None else others[:, full:])
    return sums


def _short(values: Array, others: Array | None) -> Array:
    """The same for rows shorter than a block."""
    columns = _ones(values.dtype)[:, : values.shape[1]] if others is None else others[..., None]
    sums: Array = np.matmul(values[:, None], columns)[:, 0, 0].astype(np.float64)
    return sums


@cache
def _ones(dtype: np.dtype[Any]) -> Array:
    return np.ones((1, BLOCK, 1), dtype)
