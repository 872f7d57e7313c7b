"""Views that run in another process, as the trainer's pipe knows them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexlogger.answer import Answer
from flexlogger.pipe.process import ViewsProcess
from flexlogger.records import Item

AWAY_S = 1.0
"""Closing waits no longer for a server that does not answer: it can be drawn from the log later."""


class RemoteView:
    """View number `index` of a process."""

    def __init__(self, process: ViewsProcess, index: int, name: str) -> None:
        self.name = name
        self._process = process
        self._index = index
        self._complete: bool | None = None

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Nothing travels but where the log ends: the process reads it."""
        self._process.log_end = end

    def catch_up(self, path: Path, end: int) -> None:
        """Begin with what the log holds up to byte `end`."""
        self._process.log_end = end

    def ask(self) -> Answer:
        """Ask for all that was offered to be shown now; what is returned tells when it is."""
        return self._process.ask(self._index)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was offered so far is shown."""
        return self.ask().wait(timeout)

    def stop(self) -> None:
        """Stop without showing what is left. Never waits."""
        self._process.drop(self._index, 0.0)

    def close(self, timeout: float) -> bool:
        """Show what is left, for at most `timeout` seconds (`AWAY_S` where the server is away), and stop."""
        if self._complete is not None:
            return self._complete
        deadline = time.monotonic() + timeout
        asked = self.ask()
        shown = asked.wait(min(timeout, AWAY_S))
        if not shown and self.status()["failures"] == 0:
            shown = asked.wait(max(0.0, deadline - time.monotonic()))
        self._complete = shown
        self._process.drop(self._index, max(0.1, deadline - time.monotonic()) if shown else 0.0)
        self._process.join(max(0.1, deadline - time.monotonic()))
        return shown

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is the one that looks after the process."""
        return self._process.runs_in(thread)

    def status(self) -> dict[str, Any]:
        """Health of the view as its process tells it, and how often that was started again."""
        return self._process.status(self._index)
