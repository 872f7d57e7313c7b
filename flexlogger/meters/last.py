"""The latest value of anything."""

from __future__ import annotations

import math
from typing import Any

from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.meters.base import FOLD_AT, Payload, ScalarMeter
from flexlogger.meters.values import KINDS, finish, refusal, take
from flexlogger.records import Kind, Output


class LastValueMeter(ScalarMeter):
    """Keep the latest value: a number, vector, matrix, image, batch of images, text, table, figure or dict of these.

    `kind` says what values to expect (see `flexlogger.records.Kind`); with "any" their shape decides, where (H, W) is a
    matrix and (3, H, W) an image. Kinds image and images take both; see `flexlogger.meters.pixels` for ranges. Tensors
    are copied at `add` on their device; tables, figures and files (`pathlib.Path` of a video, sound or SVG) are read at
    `add`. Several arguments are one list, keyword arguments one dict.

    Raises ValueRefusedError at `add` for a value that is not of the `kind`.

    >>> meter = LastValueMeter()
    >>> meter.add(0.1)
    >>> meter.add(0.2)
    >>> meter.value(), meter.collect()
    (0.2, {'': 0.2})
    """

    single = True

    def __init__(self, kind: Kind = "any") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueRefusedError(f"kind: {unknown('kind', str(kind), KINDS)}")
        if kind not in ("any", "scalar"):
            self.buffer = _NoNumbers(kind)
        self.kind = kind
        self.outputs = (Output(kind=kind),)
        self._taken: dict[str, Payload] = {}

    def add(self, /, *values: Any, **named: Any) -> None:
        value: Any = named if named else values[0] if len(values) == 1 else list(values)
        if value.__class__ is float or value.__class__ is int:
            self.buffer.append(float(value))
            if len(self.buffer) >= FOLD_AT:
                self.fold()
            return
        if not (values or named) or (values and named):
            raise ValueRefusedError("add: Expected a value, several, or named ones, but got none or both")
        self._taken = take(value, self.kind)
        self.buffer.clear()
        self.count = 1

    def fold(self) -> None:
        if self.buffer:
            self._taken = {"": Payload("scalar", self.buffer[-1])}
            self.buffer.clear()
            self.count = 1

    def value(self) -> Any:
        """Return the latest value, tensors on their device; NaN where there is none. A number waits for its device.

        Named values come back as a dict by '.name', tables and plotly's figures as JSON, matplotlib's as pixels.
        """
        self.fold()
        values = {suffix: _read(payload) for suffix, payload in self._taken.items()}
        return values if "" not in values and values else values.get("", math.nan)

    def reset(self) -> None:
        self.buffer.clear()
        self._taken = {}
        self.count = 0

    def collect(self) -> dict[str, Any]:
        self.fold()
        return {suffix: finish(payload) for suffix, payload in self._taken.items()}


class _NoNumbers(list[float]):
    """The buffer of a meter that takes no lone numbers: it refuses them where the logger would push them."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def append(self, number: float, /) -> None:
        raise refusal(number, self._kind)


def _read(payload: Payload) -> Any:
    return float(payload.value) if payload.kind == "scalar" else payload.value
