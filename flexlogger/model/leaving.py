"""Results on their way from a device to the host: what is copied, and how it is read once it has arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from flexlogger.meters.histograms import histogram
from flexlogger.meters.tensors import widest
from flexlogger.model import sharded
from flexlogger.model.device import finished, stacked
from flexlogger.model.gathered import Mark, Marks, Part
from flexlogger.model.statistics import Rows
from flexlogger.readback import Copied, Copier

Array = np.ndarray[Any, Any]


class Leaving:
    """Collects what is to leave each device, and starts one copy of all of it. What it returns reads from that."""

    def __init__(self, copier: Copier, elsewhere: Callable[[torch.Tensor], bool]) -> None:
        self._copier, self._elsewhere = copier, elsewhere
        self._loads: dict[torch.device, _Load] = {}

    def start(self) -> list[Copied]:
        """Start the copies, one a device: those to wait for."""
        return [load.start(self._copier) for load in self._loads.values()]

    def _leave(self, tensor: torch.Tensor) -> Callable[[], Array]:
        return self._loads.setdefault(tensor.device, _Load()).add(tensor)

    def rows(self, marks: Sequence[Mark], rows: torch.Tensor) -> Part:
        """Rows that are complete."""
        return Part(partial(Marks.of, marks), self._leave(rows))

    def raw_rows(self, found: Sequence[tuple[Mark, int, list[torch.Tensor]]], groups: sharded.Groups) -> Part:
        """Raw columns of tensors on one device with their numbers of entries; of parts, where there are groups."""
        marks = [mark for mark, _, _ in found]
        matrix, sizes = stacked([raw for _, _, raw in found]), [n for _, n, _ in found]
        if groups:
            n = torch.tensor(sizes, dtype=matrix.dtype, pin_memory=matrix.device.type == "cuda")
            n = n.to(matrix.device, non_blocking=True)
            return self.rows(marks, sharded.reduce(finished(matrix, n), groups))
        return Part(partial(Marks.of, marks), partial(_rows, self._leave(matrix), sizes))

    def number(self, value: Any) -> Callable[[], float]:
        """How to read a number or a tensor of one entry."""
        if isinstance(value, torch.Tensor) and self._elsewhere(value):
            return partial(_number, self._leave(value.detach().reshape(())))
        return partial(float, float(value))

    def histogram(self, values: torch.Tensor, bins: int, zeros: int) -> Callable[[], Array]:
        """How to read the histogram of these values and so many zeros, which is counted on their device."""
        if self._elsewhere(values):
            return self._leave(_counted(values, bins, zeros))
        return partial(_counted_here, values, bins, zeros)


class _Load:
    """Tensors of one device that leave it together."""

    def __init__(self) -> None:
        self._tensors: list[torch.Tensor] = []
        self._size = 0
        self._copied: Copied | None = None

    def add(self, tensor: torch.Tensor) -> Callable[[], Array]:
        """How to read this tensor, an array of float64 and its shape, once it has arrived."""
        self._tensors.append(tensor)
        begin, self._size = self._size, self._size + tensor.numel()
        return partial(self._read, begin, tensor.shape)

    def start(self, copier: Copier) -> Copied:
        """Start the copy."""
        wide = widest(self._tensors[0].device)
        self._copied = copier([torch.cat([tensor.reshape(-1).to(wide) for tensor in self._tensors])])
        self._tensors.clear()
        return self._copied

    @cached_property
    def _host(self) -> Array:
        assert self._copied is not None, "read before it was started"
        return np.asarray(self._copied.hosts[0].cpu().double().numpy())

    def _read(self, begin: int, shape: torch.Size) -> Array:
        return self._host[begin : begin + shape.numel()].reshape(shape).copy()


def _rows(read: Callable[[], Array], sizes: list[int]) -> Rows:
    return finished(read(), np.array(sizes, np.float64))


def _number(read: Callable[[], Array]) -> float:
    return float(read())


def _counted(values: torch.Tensor, bins: int, zeros: int) -> torch.Tensor:
    if not zeros:
        return histogram(values, bins)
    found = histogram(torch.cat([values, values.new_zeros(1)]), bins)
    place = (found[0, 1:-1] <= 0).sum()  # the edges between bins that are not above 0
    found[1].index_add_(0, place.reshape(1), found.new_full((1,), zeros - 1))
    return found


def _counted_here(values: torch.Tensor, bins: int, zeros: int) -> Array:
    return np.array(_counted(values, bins, zeros).double().numpy())
