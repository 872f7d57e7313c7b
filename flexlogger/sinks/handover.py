"""What passes from the run log to a view: own batches in memory, the rest from the segments on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from flexlogger import faults
from flexlogger.records import ITEM_BYTES, Definition, Item, weight
from flexlogger.runs.segment import SegmentReader
from flexlogger.runs.tail import Tail
from flexlogger.sinks.merged import OneDashboard

WAITING_BYTES = 8 * 2**20
"""Up to this much is handed over in memory; a view that falls further behind reads on from the log."""


class Stage(Protocol):
    """What items go through on their way to a sink."""

    def take(self, items: Sequence[Item], rank: int = 0, own: bool = False) -> Sequence[Item]:
        """Return what becomes of items that process `rank` wrote; `own` says that it was this one."""


class Handover:
    """A bounded buffer between two threads, with the log as its second half, and other processes' segments before it.

    `tail` reads what others wrote into the run, before and now. Where there is no log, the oldest batches are lost past
    the bound and counted in `unseen`; a dashboard's definition never is.
    """

    def __init__(self, tail: Tail | None = None, stage: Stage | None = None) -> None:
        self.behind = False
        self.unseen = 0
        self.damaged = 0
        """Lines of other segments that had to be skipped."""
        self._tail = tail
        self._stage = stage or OneDashboard()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Sequence[Item], int]] = deque()
        self._bytes = 0
        self._path: Path | None = None
        self._log_end = 0  # bytes of the log that were offered
        self._taken_end = 0  # bytes of the log that were taken

    def catch_up(self, path: Path, end: int) -> None:
        """Begin with what the own log at `path` holds up to byte `end`: it is read from there."""
        with self._lock:
            self._path, self._log_end, self.behind = path, end, end > 0

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Put in a batch that now ends at byte `end` of the log at `path` (None: there is no log)."""
        if not batch:
            return
        size = ITEM_BYTES * len(batch) + sum(map(weight, batch))
        with self._lock:
            self._path, self._log_end = path, end
            if self.behind:
                return
            self._waiting.append((batch, size))
            self._bytes += size
            if self._bytes > WAITING_BYTES:
                self._shed()

    def _shed(self) -> None:
        if self._path is not None:
            self.behind = True
            self._waiting.clear()
            self._bytes = 0
            return
        definition: Definition | None = None
        while self._bytes > WAITING_BYTES and len(self._waiting) > 1:
            batch, size = self._waiting.popleft()
            self._bytes -= size
            definition = next((i for i in reversed(batch) if isinstance(i, Definition)), definition)
            self.unseen += len(batch)
        if definition is not None:
            self._waiting.appendleft(([definition], ITEM_BYTES))
            self._bytes += ITEM_BYTES
            self.unseen -= 1

    def take(self, others: bool = True) -> Iterator[Sequence[Item]]:
        """All that waits: with `others` what they have written since, then the own log's, in its order."""
        if others and self._tail is not None:
            yield from self._of_others(self._tail)
        for items in self._own():
            yield self._stage.take(items, own=True)

    def _of_others(self, tail: Tail) -> Iterator[Sequence[Item]]:
        found = False
        for rank, items in tail.read():
            found = True
            yield self._stage.take(items, rank)
        if found:
            self.damaged = sum(msgspec.structs.astuple(msgspec.structs.replace(tail.damage, torn=0)))

    def _own(self) -> Iterator[Sequence[Item]]:
        while True:
            with self._lock:
                batches, self._waiting, self._bytes = self._waiting, deque(), 0
                path, end, behind = self._path, self._log_end, self.behind
            for batch, _ in batches:
                yield batch
            if not behind:
                self._taken_end = end
                return
            assert path is not None  # only a log can be fallen behind
            yield from self._from_log(path, end)
            with self._lock:
                self.behind = self._taken_end < self._log_end

    def _from_log(self, path: Path, end: int) -> Iterator[Sequence[Item]]:
        reader = SegmentReader(path, self._taken_end)
        try:
            while items := reader.read(until=end):
                yield items
        except OSError as error:
            faults.log.warning(
                "flexlogger: %s cannot be read (%s); a view that had fallen behind leaves it out and goes on",
                path,
                error.strerror or error,
            )
        self._taken_end = end
