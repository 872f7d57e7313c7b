"""Values still on a device become plain numbers without stopping the stream.

A FIFO between meters and records: `push` starts one copy into pinned memory and records an event behind it; the pipe's
worker takes a record out once its event has passed. Order holds: the logger sends every later record through here
until the FIFO is empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import torch

from flexlogger import faults
from flexlogger.records import Datum, Item, Kind, Record, Step

MAX_PENDING = 8192
MAX_PENDING_BYTES = 64 * 2**20
"""Records, and bytes of arrays, that may wait for a device; beyond either the newest record is dropped and counted."""
MAX_LINES = 32
"""A vector of up to this many entries is logged as scalars, a line each; a longer one as one array."""


class Reading(msgspec.Struct, frozen=True):
    """One value of a `log` call that is not a number yet: its name, kind, labels, and where it is."""

    name: str
    kind: Kind
    value: Any
    labels: tuple[str, ...] = ()


class Event(Protocol):
    """What tells that a copy has arrived."""

    def query(self) -> bool:
        """True once everything before it on its stream is done."""


class Waiting(Protocol):
    """A record that is not complete yet."""

    @property
    def size(self) -> int:
        """Bytes of arrays it holds, as reserved."""

    def arrived(self) -> bool:
        """True once `record` need not wait."""

    def record(self) -> Record:
        """The record; called once, after it has arrived."""


class Holder(Protocol):
    """Keeps a record back for a moment because more may be added to it (`flexlogger.tracking.rows`)."""

    def due(self) -> Waiting | None:
        """Give up what was kept back long enough. Called by the pipe's worker."""

    def forget(self) -> None:
        """Drop it: in a forked child it is not ours."""


class Copied(msgspec.Struct, frozen=True):
    """Host tensors that are filled once `event` has passed (None: they are already)."""

    hosts: Sequence[torch.Tensor]
    event: Event | None


Copier = Callable[[Sequence[torch.Tensor]], Copied]


def copy_to_host(tensors: Sequence[torch.Tensor]) -> Copied:
    """Start copying tensors of one device into pinned memory; return at once.

    CUDA copies run behind an event on the current stream. Other devices have no such copy in torch: the worker fetches
    their tensors itself.
    """
    if tensors[0].device.type != "cuda":
        return Copied(tensors, None)
    hosts = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
    for host, tensor in zip(hosts, tensors, strict=True):
        host.copy_(tensor, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    event.record(torch.cuda.current_stream(tensors[0].device))
    return Copied(hosts, event)


class _OnDevice(msgspec.Struct, frozen=True):
    step: Step
    time: float
    values: dict[str, float]
    data: tuple[Datum, ...]
    readings: tuple[Reading, ...]
    scalar_names: tuple[str, ...]
    copied: tuple[Copied, ...]
    size: int

    def arrived(self) -> bool:
        return all(c.event is None or c.event.query() for c in self.copied)

    def record(self) -> Record:
        """Build the record from arrived copies: stacked scalars first, then one copy a reading."""
        values = dict(self.values)
        stacks = self.copied[: len(self.copied) - len(self.readings)]
        numbers = [number for copied in stacks for number in copied.hosts[0].tolist()]
        values.update(zip(self.scalar_names, numbers, strict=True))
        data = list(self.data)
        for reading, copied in zip(self.readings, self.copied[len(stacks) :], strict=True):
            place(reading, to_array(copied.hosts[0]), values, data)
        return Record(self.step, self.time, values, tuple(data))


class Readback:
    """The FIFO. `copier` is how tensors leave a device; tests bring one whose events they set themselves."""

    def __init__(self, copier: Copier = copy_to_host) -> None:
        self._copier = copier
        self._fifo: deque[Waiting | Record] = deque()
        self.holders: tuple[Holder, ...] = ()
        self._bytes_in = 0  # written by the training thread only
        self._bytes_out = 0  # … by the pipe's worker only

    @property
    def pending(self) -> int:
        """How many records wait."""
        return len(self._fifo)

    def forget(self) -> None:
        """Drop everything: in a forked child neither the records nor the device's events are ours."""
        self._fifo = deque()
        self._bytes_in = self._bytes_out = 0
        for holder in self.holders:
            holder.forget()

    def push(
        self,
        step: Step,
        time: float,
        values: dict[str, float],
        data: Sequence[Datum],
        scalars: Mapping[str, torch.Tensor],
        readings: Sequence[Reading],
    ) -> bool:
        """Send off one `log` call: `values` and `data` are on the host, `scalars` (0-d tensors, stacked into one copy
        a device) and `readings` are not. False where too much waits already."""
        if not self.reserve(sum(reading.value.nbytes for reading in readings)):
            return False
        self._fifo.append(self.start(step, time, values, data, scalars, readings))
        return True

    def start(
        self,
        step: Step,
        time: float,
        values: dict[str, float],
        data: Sequence[Datum],
        scalars: Mapping[str, torch.Tensor],
        readings: Sequence[Reading],
    ) -> Waiting:
        """Start the copies of one `log` call, for which room was reserved; `queue` it later."""
        copied: list[Copied] = []
        names: list[str] = []
        for group in _by_device(scalars).values():
            names += [name for name, _ in group]
            copied.append(self._copier([_stack([tensor for _, tensor in group])]))
        copied += [self._copier([reading.value]) for reading in readings]
        size = sum(reading.value.nbytes for reading in readings)
        return _OnDevice(step, time, values, tuple(data), tuple(readings), tuple(names), tuple(copied), size)

    def reserve(self, size: int) -> bool:
        """Make room for `size` bytes that are to be queued; False where too much waits already."""
        if not self._has_room(size):
            return False
        self._bytes_in += size
        return True

    def queue(self, waiting: Waiting) -> None:
        """Queue a record for which room was reserved behind those that wait."""
        self._fifo.append(waiting)

    def push_record(self, record: Record) -> bool:
        """Queue a record that is complete behind those that are not; False where too much waits already."""
        if not self._has_room(0):
            return False
        self._fifo.append(record)
        return True

    def _has_room(self, size: int) -> bool:
        waiting = self._bytes_in - self._bytes_out
        return len(self._fifo) < MAX_PENDING and waiting + size <= MAX_PENDING_BYTES

    def drain(self, take: Callable[[Item], None]) -> None:
        """Hand over, in order, each record that has arrived, before it stops counting as pending."""
        for holder in self.holders:
            if (due := holder.due()) is not None:
                self._fifo.append(due)
        while self._fifo:
            first = self._fifo[0]
            if isinstance(first, Record):
                take(first)
            elif first.arrived():
                self._bytes_out += first.size
                try:
                    take(first.record())
                except Exception as error:  # a bug of ours must not hold up what waits behind it
                    faults.swallow("reading a value back from its device", error)
            else:
                return
            self._fifo.popleft()


def _by_device(scalars: Mapping[str, torch.Tensor]) -> dict[torch.device, list[tuple[str, torch.Tensor]]]:
    groups: dict[torch.device, list[tuple[str, torch.Tensor]]] = {}
    for name, tensor in scalars.items():
        groups.setdefault(tensor.device, []).append((name, tensor))
    return groups


def _stack(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    exact_in_32 = (torch.float32, torch.float16, torch.bfloat16, torch.bool)
    narrow = tensors[0].device.type == "mps" or all(t.dtype in exact_in_32 for t in tensors)
    wide = torch.float32 if narrow else torch.float64
    return torch.stack([t.detach().reshape(()).to(wide) for t in tensors])


def place(reading: Reading, value: np.ndarray[Any, Any] | str, values: dict[str, float], data: list[Datum]) -> None:
    """Put one host value where it belongs in a record: short vectors become scalars, the rest a datum.

    >>> values, data = {}, []
    >>> place(Reading("f1", "vector", None, ("cat", "dog")), np.array([0.5, 1.0]), values, data)
    >>> values
    {'f1.cat': 0.5, 'f1.dog': 1.0}
    """
    if reading.kind == "vector" and isinstance(value, np.ndarray) and value.size <= MAX_LINES:
        labels = reading.labels if len(reading.labels) == value.size else tuple(map(str, range(value.size)))
        values.update({f"{reading.name}.{label}": float(v) for label, v in zip(labels, value, strict=True)})
        return
    data.append(Datum(reading.name, reading.kind, value))


def to_array(value: Any) -> np.ndarray[Any, Any]:
    """An own, read-only, contiguous array of a host value; half precisions become float32."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
    array = np.array(value, copy=True, order="C")
    array.flags.writeable = False
    return array
