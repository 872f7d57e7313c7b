"""The one seam of all views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from flexlogger.records import Item


@runtime_checkable
class Sink(Protocol):
    """A view of the run log. Holds no thread, no retry and no queue: `flexlogger.sinks.view.View` goes around it.

    All three are called from one thread at a time.
    """

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order into bounded state. Must not block and must not fail on odd data."""

    def flush(self) -> None:
        """Show what has changed; may block up to the sink's own time-outs. Called again after a pause when it raises
        `SinkError`; what it could not show it must still know."""

    def close(self) -> None:
        """Release connections. Nothing is called afterwards."""
