"""What a meter is, and the fast scalar base most of ours share."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from flexlogger.records import Kind, Output

FOLD_AT = 4096
"""A buffered meter folds its pending numbers into its state at this many, so that memory stays bounded."""


@runtime_checkable
class Meter(Protocol):
    """What users may bring: any object with these three methods."""

    def add(self, *values: Any) -> None: ...
    def value(self) -> Any: ...
    def reset(self) -> None: ...


class Payload(msgspec.Struct, frozen=True):
    """A non-scalar output at log time: an own copy (tensor on its device, or array), or a string, with its kind."""

    kind: Kind
    value: Any


class BaseMeter:
    """Base of our own meters.

    `collect` is what the logger logs: {output suffix: float | 0-d tensor | Payload}. `value` is what users read and
    what torchnet's meter of the same name returns.
    """

    outputs: tuple[Output, ...] = (Output(),)
    windowed: ClassVar[bool] = False
    """True where `log` must not reset it (a moving average)."""

    @property
    def empty(self) -> bool:
        """True where nothing was added since the last reset; `log` skips such a meter."""
        raise NotImplementedError

    def add(self, *values: Any) -> None:
        raise NotImplementedError

    def value(self) -> Any:
        raise NotImplementedError

    def reset(self) -> None:
        raise NotImplementedError

    def collect(self) -> dict[str, Any]:
        """Return the outputs to log, by suffix."""
        return {"": self.value()}


class ScalarMeter(BaseMeter):
    """A meter of plain numbers: `add` only appends to `buffer`, arithmetic waits for `value` or a full buffer.

    The logger appends floats to `buffer` itself (one C call), which is what keeps `add` cheap; `fold` takes them in.
    `buffer` must stay the same list object for the life of the meter.
    """

    single: ClassVar[bool] = False
    """True where the collected value of one lone number is that number (mean, last, sum, min, max)."""

    def __init__(self) -> None:
        self.buffer: list[float] = []
        self.count = 0
        """How many numbers the state holds apart from `buffer` (weighted ones count as their weight)."""

    def fold(self) -> None:
        """Take the pending numbers of `buffer` into the state and clear it."""
        raise NotImplementedError

    @property
    def empty(self) -> bool:
        return not self.buffer and not self.count
