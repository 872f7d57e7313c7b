"""The thread, the pace and the patience around a sink."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flexlogger import faults
from flexlogger.errors import SinkError
from flexlogger.records import ITEM_BYTES, Item, weight
from flexlogger.runs.segment import SegmentReader
from flexlogger.sinks.base import Sink

POLL_S = 0.1
INTERVAL_S = 0.5
"""A sink is flushed at most this often …"""
SHARE = 4
"""… and a flush that took d seconds is followed by a pause of SHARE times d, so a slow server gets fewer."""
BACK_OFF_S = (0.5, 15.0)
AWAY_S = 1.0
"""Closing waits no longer for a server that does not answer: it can be drawn from the log later."""
WAITING_BYTES = 8 * 2**20
"""Up to this much is handed over in memory; a view that falls further behind reads on from the log."""


class View:
    """Runs one sink in a thread of its own, fed with what is already in the run log.

    `history` is read first (a resumed run). A sink that raises `SinkError` is offered its flush again after a pause
    that doubles up to 15 s; `repair` is the hint shown in the one warning.
    """

    def __init__(
        self,
        sink: Sink,
        name: str,
        *,
        history: Sequence[Path] = (),
        repair: str = "",
        interval: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._sink = sink
        self._history = deque(history)
        self._repair = repair
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: deque[Sequence[Item]] = deque()
        self._waiting_bytes = 0
        self._path: Path | None = None
        self._log_end = 0  # bytes of the log that were offered
        self._shown_end = 0  # bytes of the log that the sink has taken
        self._behind = False
        self._due = 0.0
        self._failures = 0
        self._last_error = ""
        self._flushes = 0
        self._unseen = 0
        self._barriers: list[threading.Event] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"flexlogger-{name}", daemon=True)
        self._thread.start()

    # ---- called by the log worker

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Hand over a batch that now ends at byte `end` of the log at `path` (None: there is no log)."""
        if not batch:
            return
        with self._lock:
            self._path, self._log_end = path, end
            if self._behind:
                return
            self._waiting.append(batch)
            self._waiting_bytes += ITEM_BYTES * len(batch) + sum(map(weight, batch))
            if self._waiting_bytes > WAITING_BYTES:
                self._fall_behind()

    def _fall_behind(self) -> None:
        """Let go of what waits in memory: the log has it. Without a log the oldest is lost, and counted."""
        if self._path is None:
            self._unseen += len(self._waiting.popleft())
            self._waiting_bytes = sum(ITEM_BYTES * len(b) + sum(map(weight, b)) for b in self._waiting)
            return
        self._behind = True
        self._waiting.clear()
        self._waiting_bytes = 0

    def flush(self, timeout: float) -> bool:
        """Wait until the sink shows everything offered so far."""
        if not self._thread.is_alive():
            return False
        shown = threading.Event()
        with self._lock:
            self._barriers.append(shown)
        self._wake.set()
        return shown.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Show what is left, for at most `timeout` seconds (`AWAY_S` where the server is away), and stop."""
        first = min(timeout, AWAY_S)
        shown = self.flush(first) or (self._failures == 0 and self.flush(timeout - first))
        self._stopping = True
        self._wake.set()
        self._thread.join(0.5 if not shown else timeout)
        return shown

    def status(self) -> dict[str, Any]:
        """Health: ok, consecutive failures, the last error, flushes done, and items that were never shown."""
        return {
            "ok": self._failures == 0,
            "failures": self._failures,
            "error": self._last_error,
            "flushes": self._flushes,
            "unseen": self._unseen,
            "behind": self._behind,
        }

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(POLL_S)
            self._wake.clear()
            try:
                self._step()
            except Exception as error:
                faults.swallow(f"the {self.name} view", error)
        self._sink.close()

    def _step(self) -> None:
        barriers = self._take_barriers()
        self._read_history()
        self._take()
        if not barriers and self._clock() < self._due:
            return
        if self._flush():
            for barrier in barriers:
                barrier.set()
        else:
            with self._lock:
                self._barriers[:0] = barriers

    def _take_barriers(self) -> list[threading.Event]:
        with self._lock:
            if self._barriers and self._failures and self._clock() < self._due:
                return []
            barriers, self._barriers = self._barriers, []
        return barriers

    def _read_history(self) -> None:
        while self._history:
            reader = SegmentReader(self._history.popleft())
            while items := reader.read():
                self._sink.write(items)

    def _take(self) -> None:
        """Give the sink all that waits, from memory or, where it fell behind, from the log."""
        while True:
            with self._lock:
                batches, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
                path, end, behind = self._path, self._log_end, self._behind
            for batch in batches:
                self._sink.write(batch)
            if not behind:
                self._shown_end = end
                return
            assert path is not None
            self._catch_up(path, end)
            with self._lock:
                self._behind = self._shown_end < self._log_end

    def _catch_up(self, path: Path, end: int) -> None:
        reader = SegmentReader(path, self._shown_end)
        while items := reader.read(until=end):
            self._sink.write(items)
        self._shown_end = end

    def _flush(self) -> bool:
        started = self._clock()
        try:
            self._sink.flush()
        except SinkError as error:
            self._failed(error)
            return False
        if self._failures:
            faults.log.warning("flexlogger: %s is back; its windows are drawn again in full", self.name)
        self._failures = 0
        self._last_error = ""
        self._flushes += 1
        now = self._clock()
        self._due = now + max(self._interval, SHARE * (now - started))
        return True

    def _failed(self, error: SinkError) -> None:
        self._failures += 1
        self._last_error = str(error)
        pause = min(BACK_OFF_S[0] * 2 ** (self._failures - 1), BACK_OFF_S[1])
        self._due = self._clock() + pause * random.uniform(0.8, 1.2)
        if self._failures == 1:
            faults.log.warning("flexlogger: %s; training goes on and nothing is lost. %s", error, self._repair)
