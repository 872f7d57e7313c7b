"""What passes from the log's writer to a view: batches in memory, and from the log where the view fell behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from flexlogger import faults
from flexlogger.records import ITEM_BYTES, Definition, Item, weight
from flexlogger.runs.segment import SegmentReader

WAITING_BYTES = 8 * 2**20
"""Up to this much is handed over in memory; a view that falls further behind reads on from the log."""


class Handover:
    """A bounded buffer between two threads, with the log as its second half.

    Where there is no log, the oldest batches are lost past the bound and counted in `unseen`; a dashboard's definition
    never is. `history` are segments to read first; one that cannot be read is reported and left out.
    """

    def __init__(self, history: Sequence[Path] = ()) -> None:
        self.behind = False
        self.unseen = 0
        self.damaged = 0
        """Lines of the history that had to be skipped."""
        self._history = deque(history)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Sequence[Item], int]] = deque()
        self._bytes = 0
        self._path: Path | None = None
        self._log_end = 0  # bytes of the log that were offered
        self._taken_end = 0  # bytes of the log that were taken

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

    def take(self) -> Iterator[Sequence[Item]]:
        """All that waits, in log order: the history, then from memory, or from the log where this is behind."""
        yield from self._take_history()
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
            reader = SegmentReader(path, self._taken_end)
            while items := reader.read(until=end):
                yield items
            self._taken_end = end
            with self._lock:
                self.behind = self._taken_end < self._log_end

    def _take_history(self) -> Iterator[Sequence[Item]]:
        while self._history:
            path = self._history.popleft()
            reader = SegmentReader(path)
            try:
                while items := reader.read():
                    yield items
                damage = reader.finish()
            except OSError as error:
                faults.log.warning("flexlogger: %s cannot be read (%s); it is left out", path, error.strerror or error)
                continue
            if damage:
                self.damaged += damage.torn + damage.damaged + damage.missing + damage.blobs
                faults.log.warning("flexlogger: %s: skipped what is damaged (%s)", path, damage)
