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


class _Waiting(msgspec.Struct, frozen=True):
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


class Readback:
    """The FIFO. `copier` is how tensors leave a device; tests bring one whose events they set themselves."""

    def __init__(self, copier: Copier = copy_to_host) -> None:
        self._copier = copier
        self._fifo: deque[_Waiting | Record] = deque()
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
        size = sum(reading.value.nbytes for reading in readings)
        if not self._has_room(size):
            return False
        copied: list[Copied] = []
        names: list[str] = []
        for group in _by_device(scalars).values():
            names += [name for name, _ in group]
            copied.append(self._copier([_stack([tensor for _, tensor in group])]))
        copied += [self._copier([reading.value]) for reading in readings]
        self._bytes_in += size
        waiting = _Waiting(step, time, values, tuple(data), tuple(readings), tuple(names), tuple(copied), size)
        self._fifo.append(waiting)
        return True

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
        while self._fifo:
            first = self._fifo[0]
            if isinstance(first, _Waiting):
                if not first.arrived():
                    return
                self._bytes_out += first.size
                try:
                    take(_resolve(first))
                except Exception as error:  # a bug of ours must not hold up what waits behind it
                    faults.swallow("reading a value back from its device", error)
            else:
                take(first)
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


def _resolve(waiting: _Waiting) -> Record:
    """Build the record from arrived copies: stacked scalars first, then one copy a reading."""
    values = dict(waiting.values)
    stacks = waiting.copied[: len(waiting.copied) - len(waiting.readings)]
    numbers = [number for copied in stacks for number in copied.hosts[0].tolist()]
    values.update(zip(waiting.scalar_names, numbers, strict=True))
    data = list(waiting.data)
    for reading, copied in zip(waiting.readings, waiting.copied[len(stacks) :], strict=True):
        place(reading, to_array(copied.hosts[0]), values, data)
    return Record(waiting.step, waiting.time, values, tuple(data))


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
