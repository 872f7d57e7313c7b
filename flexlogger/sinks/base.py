"""The one seam of all views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from flexlogger.records import Item


@runtime_checkable
class Sink(Protocol):
    """A view of the run log. Holds no thread, no retry and no queue: `flexlogger.sinks.view.View` goes around it.

    All three are called from one thread at a time. A sink that has no place for some values counts them in an attribute
    `left_out`, a mapping of what they are.
    """

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order into bounded state, or write them to where they go. Must not fail on odd data.

        Given the same batch again after a pause when it raises `SinkError`."""

    def flush(self) -> None:
        """Show what has changed; may block up to the sink's own time-outs. Called again after a pause when it raises
        `SinkError`; what it could not show it must still know."""

    def close(self) -> None:
        """Release connections. Nothing is called afterwards."""
