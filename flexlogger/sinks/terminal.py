"""The latest values in the terminal: one line a flush, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from flexlogger.records import Event, Item, Record, Step


class TerminalSink:
    """Prints the newest scalars whenever there are new ones: `step 120  train_loss 0.69  lr 0.001`.

    >>> import sys
    >>> sink = TerminalSink(sys.stdout)
    >>> sink.write([Record(3, 0.0, {"loss": 0.6931471})])
    >>> sink.flush()
    step 3  loss 0.69315
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out
        self._step: Step | None = None
        self._values: dict[str, float] = {}
        self._events: list[str] = []

    def write(self, batch: Sequence[Item]) -> None:
        """Remember the newest values, and every event."""
        for item in batch:
            if isinstance(item, Record) and item.values:
                self._step = item.step
                self._values.update(item.values)
            elif isinstance(item, Event):
                self._events.append(f"{item.kind}: " + ", ".join(f"{key} {value}" for key, value in item.info.items()))

    def flush(self) -> None:
        """Print what is new."""
        out = self._out or sys.stderr
        for event in self._events:
            print(f"! {event}", file=out)
        self._events.clear()
        if self._values:
            values = [f"{name} {value:.5g}" for name, value in self._values.items()]
            print(f"step {self._step}", *values, sep="  ", file=out)
            self._values.clear()
        out.flush()

    def close(self) -> None:
        """The terminal is the user's."""
