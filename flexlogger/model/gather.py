"""Collecting one step: tensors in, one `Gathered` out.

Small tensors of the CPU are copied, large ones reduced at once; on an accelerator reductions stay on the device, and
all of them leave it in one copy. Nothing here waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
import torch

from flexlogger.meters.histograms import histogram
from flexlogger.model import sharded
from flexlogger.model.device import finished, measure_on_device, nothing_on_device, stacked
from flexlogger.model.flat import SMALL, Arena
from flexlogger.model.gathered import Bins, Gathered, Mark, Number, Part
from flexlogger.model.statistics import COLUMNS, HIGH, LOW, ZEROS, N, Need, Rows, dense, measure, stored_values
from flexlogger.readback import Copied, Copier, copy_to_host

_PLAIN = (torch.Tensor, torch.nn.Parameter)
NARROW = (torch.float32, torch.float16, torch.bfloat16)


def _off_the_host(tensor: torch.Tensor) -> bool:
    return not tensor.is_cpu


class Wanted(msgspec.Struct, frozen=True):
    """What is to be known of the tensors of one source: moments, own functions by name, a histogram."""

    need: Need
    own: Mapping[str, Callable[[torch.Tensor], Any]] = {}
    histogram: bool = False


class Buffers:
    """What small tensors are copied into: those of hooks, those of wider types, and parameters with their gradients."""

    def __init__(self) -> None:
        self.narrow, self.wide, self.parameters = Arena(), Arena(torch.float64), Arena()

    def reset(self) -> None:
        """Begin anew."""
        for arena in (self.narrow, self.wide, self.parameters):
            arena.reset()

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.narrow.nbytes + self.wide.nbytes + self.parameters.nbytes


class Lease:
    """The buffers of one step; they go back to the pool when nobody holds this any more."""

    def __init__(self, pool: list[Buffers]) -> None:
        self._pool = pool
        self.buffers = pool.pop() if pool else Buffers()

    def __del__(self) -> None:
        self.buffers.reset()
        self._pool.append(self.buffers)


class Gather:
    """One step's collection. `need` is all that is wanted of anything, since small tensors are reduced together.

    `pool` keeps buffers for the next step. Histograms have `bins` bins and are counted from at most `sample` entries a
    tensor (None: all), evenly spread.
    """

    def __init__(
        self,
        need: Need,
        pool: list[Buffers],
        *,
        bins: int = 64,
        sample: int | None = 16384,
        copier: Copier = copy_to_host,
        elsewhere: Callable[[torch.Tensor], bool] = _off_the_host,
    ) -> None:
        self._need, self._bins, self._sample = need, bins, sample
        self._copier, self._elsewhere = copier, elsewhere
        self._here = elsewhere is _off_the_host
        self._lease = Lease(pool)
        self._count = 0
        self._narrow: list[Mark] = []
        self._wide: list[Mark] = []
        self._parameters: Sequence[list[int]] = ()
        self._parameters_at = 0
        self._ready: list[tuple[Mark, Rows]] = []
        self._afar: dict[tuple[torch.device, sharded.Groups], list[tuple[Mark, int, list[torch.Tensor]]]] = {}
        self._spread: dict[sharded.Groups, list[tuple[Mark, Rows]]] = {}
        self._samples: list[tuple[Mark, torch.Tensor]] = []
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
        moments = self._here and tensor.__class__ in _PLAIN and not wanted.own and not wanted.histogram
        if moments and self._lease.buffers.narrow.again(tensor):
            self._narrow.append(mark)
            return mark.keys
        tensor = tensor.detach()
        if tensor.__class__ not in _PLAIN and sharded.is_sharded(tensor):
            self._add_sharded(mark, tensor, wanted)
        elif tensor.numel():
            self._add_here(mark, tensor, wanted)
        if (wanted.own or wanted.histogram) and tensor.numel():
            self._add_whole(mark, tensor, wanted)
        return mark.keys

    def add_together(self, keys: Sequence[list[int]], tensors: Sequence[torch.Tensor], signature: object) -> None:
        """Take small float tensors of the CPU (`is_small`) in one copy, once a step. `signature` stands for their
        shapes: where it is the very object of an earlier step, these are not looked at again."""
        self._lease.buffers.parameters.add_all(tensors, signature)
        self._parameters, self._parameters_at = keys, self._count
        self._count += len(keys)

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
            narrow = tensor.dtype in NARROW
            (self._lease.buffers.narrow if narrow else self._lease.buffers.wide).add(tensor)
            (self._narrow if narrow else self._wide).append(mark)
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
            values = tensor if tensor.layout is torch.strided else stored_values(tensor)
            self._samples.append((mark, _sampled(dense(values), self._sample)))
        if wanted.own:
            tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
            if mark.scaled and isinstance(self.factor, torch.Tensor):
                tensor = tensor.float() / self.factor
            self._numbers += [(mark, name, function(tensor)) for name, function in wanted.own.items()]

    def forget(self) -> None:
        """Drop what was added so far."""
        self._lease.buffers.reset()
        for kept in (self._narrow, self._wide, self._ready, self._afar, self._spread):
            kept.clear()
        self._parameters = ()
        self._samples.clear()
        self._numbers.clear()
        self._count = 0

    # ---- the end

    def finish(self) -> Gathered:
        """Close the collection: start what copies there are, and hand everything over."""
        buffers = self._lease.buffers
        parts = [
            Part(
                partial(_marks, self._parameters, self._parameters_at),
                partial(buffers.parameters.take().rows, self._need),
            ),
            Part(self._narrow.copy, partial(buffers.narrow.take().rows, self._need)),
            Part(self._wide.copy, partial(buffers.wide.take().rows, self._need)),
            Part([mark for mark, _ in self._ready].copy, partial(_array, [row for _, row in self._ready])),
        ]
        for groups, spread in self._spread.items():
            whole = sharded.reduce(torch.from_numpy(_array([row for _, row in spread])), groups)
            parts.append(Part([mark for mark, _ in spread].copy, whole.numpy))
        waits: list[Copied] = []
        for (_, groups), found in self._afar.items():
            parts.append(self._leave(found, groups, waits))
        reads = self._numbers_out(waits)
        return Gathered(
            parts,
            [Number(mark.keys, name, read) for (mark, name, _), read in zip(self._numbers, reads, strict=False)],
            self._histograms_out(waits),
            waits,
            reads[-2],
            lambda: bool(reads[-1]()),
            self._lease,
            buffers.nbytes,
        )

    def _leave(
        self, found: list[tuple[Mark, int, list[torch.Tensor]]], groups: sharded.Groups, waits: list[Copied]
    ) -> Part:
        """Send the stacked rows of one device off."""
        matrix = stacked([raw for _, _, raw in found])
        sizes = [n for _, n, _ in found]
        if groups:
            n = torch.tensor(sizes, dtype=matrix.dtype, pin_memory=matrix.device.type == "cuda")
            matrix = sharded.reduce(finished(matrix, n.to(matrix.device, non_blocking=True)), groups)
        copied = self._copier([matrix])
        waits.append(copied)
        return Part([mark for mark, _, _ in found].copy, partial(_arrived, copied, None if groups else sizes))

    def _numbers_out(self, waits: list[Copied]) -> list[Callable[[], float]]:
        """How to read each own statistic, and behind them the factor and whether the step was skipped."""
        values = [value for _, _, value in self._numbers] + [self.factor, self.skipped]
        reads: list[Callable[[], float]] = []
        afar: dict[torch.device, list[tuple[int, torch.Tensor]]] = {}
        for at, value in enumerate(values):
            if isinstance(value, torch.Tensor) and self._elsewhere(value):
                afar.setdefault(value.device, []).append((at, value))
                reads.append(float)
            else:
                reads.append(partial(float, float(value)))
        for numbers in afar.values():
            copied = self._copier([torch.stack([value.detach().reshape(()).double() for _, value in numbers])])
            waits.append(copied)
            for place, (at, _) in enumerate(numbers):
                reads[at] = partial(_number, copied, place)
        return reads

    def _histograms_out(self, waits: list[Copied]) -> list[Bins]:
        samples: dict[tuple[int, bool], list[torch.Tensor]] = {}
        for mark, values in self._samples:
            for key in mark.keys:
                samples.setdefault((key, mark.scaled), []).append(values)
        out = []
        for (key, scaled), parts in samples.items():
            values = torch.cat(parts)
            if not self._elsewhere(values):
                out.append(Bins(key, scaled, partial(_histogram, values, self._bins)))
                continue
            copied = self._copier([histogram(values, self._bins)])
            waits.append(copied)
            out.append(Bins(key, scaled, partial(_first, copied)))
        return out


def _marks(keys: Sequence[list[int]], before: int) -> list[Mark]:
    return [Mark(at, of) for at, of in enumerate(keys, before + 1)]


def _zeros(n: int) -> Rows:
    row = np.zeros(len(COLUMNS))
    row[N] = row[ZEROS] = n
    return row


_NOTHING = _zeros(0)
_NOTHING[LOW], _NOTHING[HIGH] = np.inf, -np.inf


def _array(rows: Sequence[Rows]) -> Rows:
    return np.array(rows).reshape(-1, len(COLUMNS))


def _arrived(copied: Copied, sizes: list[int] | None) -> Rows:
    rows: Rows = copied.hosts[0].cpu().double().numpy().copy()
    return rows if sizes is None else finished(rows, np.array(sizes, np.float64))


def _number(copied: Copied, place: int) -> float:
    return float(copied.hosts[0][place])


def _first(copied: Copied) -> Any:
    return copied.hosts[0].cpu().double().numpy().copy()


def _histogram(values: torch.Tensor, bins: int) -> Any:
    return histogram(values, bins).double().numpy()


def _sampled(flat: torch.Tensor, most: int | None) -> torch.Tensor:
    """An own copy of at most `most` entries at equal distances; an odd distance meets all channels of a power of 2."""
    step = 1 if most is None else -(-flat.numel() // most) | 1
    return flat[::step].clone()
