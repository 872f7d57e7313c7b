"""What a `log` call was given, read and copied: numbers, arrays by their shape, and whatever knows how to travel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from flexlogger import faults
from flexlogger.channels import Draft
from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.documents import document
from flexlogger.meters.tensors import on_device
from flexlogger.meters.values import finish, take
from flexlogger.records import Record, Step
from flexlogger.tracking.cycles import refuse_cycle
from flexlogger.tracking.media import Loggable, loggable

_EXACT = 2**53
"""Integers below this are floats without loss."""

Refuse = Callable[[str, int], None]
"""Counts a value that is too large: its name and its bytes."""


class Call(Draft):
    """The parts of one `log` call. `later` are values that the pipe's worker encodes, `vectors` names of vectors.

    Whatever may change after the call is copied; nothing waits for a device.
    """

    __slots__ = ("later", "vectors")

    def __init__(self, data: Mapping[str, Any], max_media: int) -> None:
        super().__init__({}, max_media)
        self.later: list[tuple[str, Loggable]] = []
        self.vectors: set[str] = set()
        self._take_all(data, "")

    @property
    def names(self) -> set[str]:
        """Every name that something was given for, those of a vector's entries aside."""
        data = {datum.name for datum in self.data} | {reading.name for reading in self.readings}
        return {*self.values, *self.scalars, *data, *(name for name, _ in self.later), *self.vectors}

    def _take_all(self, data: Mapping[str, Any], prefix: str) -> None:
        """Take a mapping; one inside it is taken under dotted names. None is skipped."""
        for key, value in data.items():
            if not isinstance(key, str):
                raise ValueRefusedError(f"log: {prefix or 'data'}: expected names that are strings, but got {key!r}")
            name = prefix + key
            if value.__class__ is float:
                self.values[name] = value
            elif value.__class__ is int and -_EXACT < value < _EXACT:
                self.values[name] = float(value)
            elif isinstance(value, torch.Tensor) and value.is_meta:
                raise ValueRefusedError(f"log: {name!r}: expected values, but got a tensor on the meta device")
            elif isinstance(value, torch.Tensor) and value.ndim == 0 and not value.is_complex():
                self._take_scalar(name, value)
            elif value is not None:
                self._take(name, value)

    def _take_scalar(self, name: str, value: torch.Tensor) -> None:
        """Read a number on the host; copy one on a device there."""
        if on_device(value):
            self.scalars[name] = value.detach().clone()
        else:
            self.values[name] = float(value.item())

    def _take(self, name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            payload = _document(value)
            if payload is None:
                refuse_cycle(f"log: {name}", value)
                self._take_all(value, f"{name}.")
                return
        elif (found := loggable(value)) is not None:
            self.later.append((name, _as_it_is_now(found)))
            return
        else:
            payload = _payload(name, value)
        if payload.kind == "vector":
            self.vectors.add(name)
        self.take(name, finish(payload), ())


class Later:
    """A record of one value that the pipe's worker encodes."""

    __slots__ = ("_max_media", "_name", "_refuse", "_step", "_time", "_value", "size")

    def __init__(self, step: Step, time: float, name: str, value: Loggable, max_media: int, refuse: Refuse) -> None:
        self._step = step
        self._time = time
        self._name = name
        self._value = value
        self._max_media = max_media
        self._refuse = refuse
        self.size = int(getattr(value, "nbytes", 0))

    def arrived(self) -> bool:
        """Always: a value that is still on its device is waited for by the worker."""
        return True

    def record(self) -> Record:
        """Encode the value; without it where that fails or it is too large."""
        try:
            datum = self._value.to_datum(self._name)
        except Exception as error:  # the class may be the user's
            faults.swallow(f"encoding {self._name!r}", error)
            return Record(self._step, self._time)
        size = len(datum.value) if isinstance(datum.value, str) else datum.value.nbytes
        if size > self._max_media:
            self._refuse(self._name, size)
            return Record(self._step, self._time)
        return Record(self._step, self._time, {}, (datum,))


def _as_it_is_now(value: Loggable) -> Loggable:
    """Copy what can still change, such as a table."""
    copy = getattr(value, "copy", None)
    copied: Loggable = copy() if callable(copy) else value
    return copied


def _document(value: Mapping[str, Any]) -> Payload | None:
    """Read a mapping that is one value: {columns, rows}, or plotly's {data, layout}."""
    if value.keys() == {"columns", "rows"}:
        return document(value, "table")
    return document(value, "figure") if "data" in value else None


def _payload(name: str, value: Any) -> Payload:
    """Read a value by its type and shape; matplotlib.pyplot stands for its current figure."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if isinstance(value, torch.Tensor) and value.layout != torch.strided:
        value = value.to_dense()
    try:
        return take(value.gcf() if pyplot is not None and value is pyplot else value)[""]
    except ValueRefusedError as error:
        raise ValueRefusedError(f"log: {name!r}: {error}") from None
    except (TypeError, RuntimeError) as error:  # torch's, for layouts and types that not every call knows
        told = str(error).partition("\n")[0]
        raise ValueRefusedError(f"log: {name!r}: a {type(value).__name__} cannot be read: {told}") from error
