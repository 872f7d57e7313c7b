"""Results on their way from a device to the host: what is copied, and how it is read once it has arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from flexlogger.meters.histograms import histogram
from flexlogger.model import sharded
from flexlogger.model.device import finished, stacked
from flexlogger.model.gathered import Mark, Marks, Part
from flexlogger.model.statistics import Rows
from flexlogger.readback import Copied, Copier

Array = np.ndarray[Any, Any]


class Leaving:
    """Starts the copies of one collection. `waits` are those to wait for; what it returns reads from them."""

    def __init__(self, copier: Copier, elsewhere: Callable[[torch.Tensor], bool]) -> None:
        self._copier, self._elsewhere = copier, elsewhere
        self.waits: list[Copied] = []

    def _copy(self, tensor: torch.Tensor) -> Copied:
        copied = self._copier([tensor])
        self.waits.append(copied)
        return copied

    def rows(self, marks: Sequence[Mark], rows: torch.Tensor) -> Part:
        """Rows that are complete."""
        return Part(partial(Marks.of, marks), partial(_rows, self._copy(rows), None))

    def raw_rows(self, found: Sequence[tuple[Mark, int, list[torch.Tensor]]], groups: sharded.Groups) -> Part:
        """Raw columns of tensors on one device with their numbers of entries; of parts, where there are groups."""
        marks = [mark for mark, _, _ in found]
        matrix, sizes = stacked([raw for _, _, raw in found]), [n for _, n, _ in found]
        if groups:
            n = torch.tensor(sizes, dtype=matrix.dtype, pin_memory=matrix.device.type == "cuda")
            n = n.to(matrix.device, non_blocking=True)
            return self.rows(marks, sharded.reduce(finished(matrix, n), groups))
        return Part(partial(Marks.of, marks), partial(_rows, self._copy(matrix), sizes))

    def numbers(self, values: Sequence[Any]) -> list[Callable[[], float]]:
        """How to read each of these numbers and tensors of one entry; a device's leave it together."""
        reads: list[Callable[[], float]] = []
        afar: dict[torch.device, list[tuple[int, torch.Tensor]]] = {}
        for at, value in enumerate(values):
            if isinstance(value, torch.Tensor) and self._elsewhere(value):
                afar.setdefault(value.device, []).append((at, value))
                reads.append(float)
            else:
                reads.append(partial(float, float(value)))
        for numbers in afar.values():
            copied = self._copy(torch.stack([value.detach().reshape(()).double() for _, value in numbers]))
            for place, (at, _) in enumerate(numbers):
                reads[at] = partial(_number, copied, place)
        return reads

    def histogram(self, values: torch.Tensor, bins: int) -> Callable[[], Array]:
        """How to read the histogram of these values, which is counted on their device."""
        if self._elsewhere(values):
            return partial(_array, self._copy(histogram(values, bins)))
        return partial(_counted, values, bins)


def _rows(copied: Copied, sizes: list[int] | None) -> Rows:
    rows = _array(copied)
    return rows if sizes is None else finished(rows, np.array(sizes, np.float64))


def _array(copied: Copied) -> Array:
    return np.array(copied.hosts[0].cpu().double().numpy())


def _number(copied: Copied, place: int) -> float:
    return float(copied.hosts[0][place])


def _counted(values: torch.Tensor, bins: int) -> Array:
    return np.array(histogram(values, bins).double().numpy())
