"""Collecting one step: tensors in, one `Gathered` out.

Small tensors of the CPU are reduced several at a time, large ones at once; on an accelerator reductions stay on the
device, and all of them leave it in one copy. Nothing here waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from flexlogger.model import sharded
from flexlogger.model.device import measure_on_device, nothing_on_device
from flexlogger.model.gathered import Bins, Gathered, Mark, Number, Part, made
from flexlogger.model.leaving import Leaving
from flexlogger.model.need import Need
from flexlogger.model.shelves import SMALL, Shelves
from flexlogger.model.statistics import COLUMNS, HIGH, LOW, ZEROS, N, Rows, dense, measure, stored_values
from flexlogger.readback import Copier, copy_to_host

_PLAIN = (torch.Tensor, torch.nn.Parameter)
NARROW = (torch.float32, torch.float16, torch.bfloat16)


def _off_the_host(tensor: torch.Tensor) -> bool:
    return not tensor.is_cpu


class Wanted(msgspec.Struct, frozen=True):
    """What is to be known of the tensors of one source: moments, own functions by name, a histogram."""

    need: Need
    own: Mapping[str, Callable[[torch.Tensor], Any]] = {}
    histogram: bool = False


class Gather:
    """One step's collection. `need` is all that is wanted of anything, since small tensors are reduced together.

    `shelves` serve one collection at a time. Histograms have `bins` bins and are counted from at most `sample` entries
    a tensor (None: all), evenly spread.
    """

    def __init__(
        self,
        need: Need,
        shelves: Shelves,
        *,
        bins: int = 64,
        sample: int | None = 16384,
        copier: Copier = copy_to_host,
        elsewhere: Callable[[torch.Tensor], bool] = _off_the_host,
    ) -> None:
        self._need, self._bins, self._sample = need, bins, sample
        self._copier, self._elsewhere = copier, elsewhere
        self._shelves = shelves
        shelves.reset()
        self._count = 0
        self._parameters: list[Part] = []
        self._ready: list[tuple[Mark, Rows]] = []
        self._afar: dict[tuple[torch.device, sharded.Groups], list[tuple[Mark, int, list[torch.Tensor]]]] = {}
        self._spread: dict[sharded.Groups, list[tuple[Mark, Rows]]] = {}
        self._computed: list[tuple[list[Mark], torch.Tensor]] = []
        self._samples: list[tuple[Mark, torch.Tensor, int]] = []
        self._numbers: list[tuple[Mark, str, Any]] = []
        self.factor: torch.Tensor | float = 1.0
        """What scaled gradients are to be divided by."""
        self.skipped: torch.Tensor | bool = False
        """Whether (not 0) the optimizer left the step out for overflow."""

    @property
    def empty(self) -> bool:
        """Whether nothing was added."""
        return not self._count

    # ---- adding

    def add(self, key: int, tensor: torch.Tensor, wanted: Wanted, *, scaled: bool = False) -> list[int]:
        """Take one tensor for `key`; it may be changed or freed afterwards. Returns the list of its keys: another
        that is appended gets the same row. An empty tensor has no row."""
        self._count += 1
        mark = Mark(self._count, [key], scaled)
        tensor = tensor.detach()
        if tensor.__class__ not in _PLAIN and sharded.is_sharded(tensor):
            self._add_sharded(mark, tensor, wanted)
        elif tensor.numel():
            self._add_here(mark, tensor, wanted)
        if (wanted.own or wanted.histogram) and tensor.numel():
            self._add_whole(mark, tensor, wanted)
        return mark.keys

    def add_together(self, keys: Sequence[list[int]], tensors: Sequence[torch.Tensor], signature: object) -> None:
        """Take small float tensors of the CPU (`is_small`) together, once a step. `signature` stands for their shapes
        and keys: where it is the very object of an earlier step, these are not looked at again. Raises as
        `Together.read` does."""
        marks, rows = self._shelves.together.read(tensors, keys, signature, self._need)
        self._parameters = [Part(lambda: marks, lambda: rows, self._count + 1)]
        self._count += len(keys)

    def add_rows(self, keys: Sequence[int], rows: torch.Tensor, scaled: Sequence[bool]) -> None:
        """Take rows (K, 9) that were computed before all else, one a key; those of n = 0 stand for nothing."""
        marks = [Mark(at - len(keys), [key], of) for at, (key, of) in enumerate(zip(keys, scaled, strict=True))]
        self._count += len(marks)
        self._computed.append((marks, rows.detach().clone()))

    def is_small(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is one for `add_together`."""
        plain = tensor.__class__ in _PLAIN and tensor.layout is torch.strided and tensor.dtype in NARROW
        return plain and 0 < tensor.numel() <= SMALL and not self._elsewhere(tensor)

    def _add_here(self, mark: Mark, tensor: torch.Tensor, wanted: Wanted, groups: sharded.Groups = ()) -> None:
        """Take a tensor that is all here, or this rank's part of one spread over `groups`."""
        if self._elsewhere(tensor):
            self._add_afar(mark, tensor, wanted.need, groups)
        elif groups:
            row = measure(tensor, wanted.need) if tensor.numel() else _NOTHING
            self._spread.setdefault(groups, []).append((mark, row))
        elif tensor.layout == torch.strided and tensor.numel() <= SMALL:
            if tensor.dtype not in NARROW or not tensor.is_contiguous():
                tensor = dense(tensor)
            self._shelves.add(mark, tensor, tensor.dtype not in NARROW, self._need)
        else:
            self._ready.append((mark, measure(tensor, wanted.need)))

    def _add_afar(self, mark: Mark, tensor: torch.Tensor, need: Need, groups: sharded.Groups) -> None:
        if tensor.layout != torch.strided:
            stored = stored_values(tensor)
            left = tensor.numel() - stored.numel()
            if left:
                self._ready.append((mark, _zeros(left)))
            if not stored.numel():
                return
            tensor = stored
        raw = measure_on_device(dense(tensor), need) if tensor.numel() else nothing_on_device(tensor)
        self._afar.setdefault((tensor.device, groups), []).append((mark, tensor.numel(), raw))

    def _add_sharded(self, mark: Mark, tensor: torch.Tensor, wanted: Wanted) -> None:
        part, groups = sharded.local(tensor)
        if groups or part.numel():
            self._add_here(mark, part, wanted, groups)

    def _add_whole(self, mark: Mark, tensor: torch.Tensor, wanted: Wanted) -> None:
        """What needs the tensor itself: own functions and histograms."""
        if sharded.is_sharded(tensor):
            tensor = tensor.full_tensor()  # type: ignore[attr-defined]  # a DTensor
        if wanted.histogram:
            self._samples.append((mark, *_sampled(tensor, self._sample)))
        if wanted.own:
            tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
            if mark.scaled and isinstance(self.factor, torch.Tensor):
                tensor = tensor.float() / self.factor
            self._numbers += [(mark, name, function(tensor)) for name, function in wanted.own.items()]

    def forget(self) -> None:
        """Drop what was added so far."""
        self._shelves.reset()
        for kept in (self._ready, self._afar, self._spread, self._parameters, self._samples, self._numbers):
            kept.clear()
        self._count = 0

    # ---- the end

    def finish(self) -> Gathered:
        """Close the collection: start what copies there are, and hand everything over."""
        parts = [*self._parameters, *self._shelves.take(self._need)]
        if self._ready:
            parts.append(made([mark for mark, _ in self._ready], _array([row for _, row in self._ready])))
        for groups, spread in self._spread.items():
            whole = sharded.reduce(torch.from_numpy(_array([row for _, row in spread])), groups)
            parts.append(made([mark for mark, _ in spread], whole.numpy()))
        leaving = Leaving(self._copier, self._elsewhere)
        parts += [leaving.raw_rows(found, groups) for (_, groups), found in self._afar.items()]
        parts += [leaving.rows(marks, rows) for marks, rows in self._computed]
        numbers = [Number(mark.keys, name, leaving.number(value)) for mark, name, value in self._numbers]
        factor, skipped = leaving.number(self.factor), leaving.number(self.skipped)
        bins = [
            Bins(key, scaled, leaving.histogram(torch.cat(values), self._bins, zeros))
            for (key, scaled), (values, zeros) in self._samples_by_key().items()
        ]
        return Gathered(parts, numbers, bins, leaving.start(), factor, skipped)

    def _samples_by_key(self) -> dict[tuple[int, bool], tuple[list[torch.Tensor], int]]:
        samples: dict[tuple[int, bool], tuple[list[torch.Tensor], int]] = {}
        for mark, values, zeros in self._samples:
            for key in mark.keys:
                parts, before = samples.get((key, mark.scaled), ([], 0))
                samples[key, mark.scaled] = [*parts, values], before + zeros
        return samples


def _zeros(n: int) -> Rows:
    row = np.zeros(len(COLUMNS))
    row[N] = row[ZEROS] = n
    return row


_NOTHING = _zeros(0)
_NOTHING[LOW], _NOTHING[HIGH] = np.inf, -np.inf


def _array(rows: Sequence[Rows]) -> Rows:
    return np.array(rows).reshape(-1, len(COLUMNS))


def _sampled(tensor: torch.Tensor, most: int | None) -> tuple[torch.Tensor, int]:
    """An own copy of at most `most` entries at equal distances; an odd distance meets all channels of a power of 2. Of
    a sparse tensor also as large a share of the zeros that are not stored: how many."""
    step = 1 if most is None else -(-tensor.numel() // most) | 1
    if tensor.layout is torch.strided:
        return dense(tensor)[::step].clone(), 0
    stored = stored_values(tensor)
    return dense(stored)[::step].clone(), (tensor.numel() - stored.numel()) // step
