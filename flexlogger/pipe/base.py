"""The seam between the training thread and everything that may be slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from flexlogger.answer import Answer
from flexlogger.records import Item


class Pipe(Protocol):
    """Carries items to the run log and from there to the views."""

    def submit(self, item: Item, size: int = 0) -> bool:
        """Take one item; False where it was dropped (and counted). Never raises and never waits for a view.

        `size` is the item's bytes beyond an ordinary record of a few scalars."""

    def flush(self, timeout: float, views: bool = False) -> bool:
        """Wait until all that was submitted is on disk (with `views`: also shown). False where time ran out."""

    def close(self, timeout: float) -> bool:
        """Flush, end the segment and release everything. False where something did not get through in time."""

    def status(self) -> dict[str, Any]:
        """Counts of what was taken, written and dropped (by reason), and the health of each view."""


class Source(Protocol):
    """Where records wait whose values are still on a device (`flexlogger.readback`)."""

    @property
    def pending(self) -> int:
        """How many records wait."""

    def forget(self) -> None:
        """Drop everything: in a forked child nothing of it is ours."""

    def drain(self, take: Callable[[Item], None]) -> None:
        """Hand over, in order, each record that has arrived, before it stops counting as pending."""


class Outlet(Protocol):
    """Where items go that are in the run log: a sink with a thread and patience around it (`flexlogger.sinks.view`)."""

    name: str

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Hand over a batch that now ends at byte `end` of the log at `path` (None: there is no log). Never waits."""

    def catch_up(self, path: Path, end: int) -> None:
        """Begin with what the log at `path` holds up to byte `end`. Called before the first `offer`."""

    def ask(self) -> Answer:
        """Ask for all that was offered to be shown now; what is returned tells when it is. Never waits."""

    def stop(self) -> None:
        """Release everything without showing what is left; nobody waits for it any longer. Never waits."""

    def close(self, timeout: float) -> bool:
        """Show what is left and release everything; False where not all was shown."""

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is the view's own."""

    def status(self) -> dict[str, Any]:
        """Health of the view."""
