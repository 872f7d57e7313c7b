"""What passes from the run log to a view: own batches in memory, the rest from the segments on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from flexlogger import faults
from flexlogger.records import ITEM_BYTES, Definition, Item
from flexlogger.rows import Packed, Rows, held
from flexlogger.runs.backlog import read_back
from flexlogger.runs.segment import Damage
from flexlogger.runs.tail import Batch
from flexlogger.sinks.merged import OneDashboard

WAITING_BYTES = 16 * 2**20
"""Up to this much is handed over in memory; what is older is read from the log."""
TOGETHER_BYTES = 4 * 2**20
"""Bytes of rows joined into one piece: the fewer there are, the less often a view waits for the interpreter."""


class History(Protocol):
    """Where what others wrote is read: a run's `Tail`, or what stands for one."""

    @property
    def damage(self) -> Damage:
        """What had to be skipped so far."""

    def read(self) -> Iterator[Batch]:
        """Hand over what was not handed over before."""


class Stage(Protocol):
    """What items go through on their way to a sink."""

    def take(self, items: Sequence[Item], rank: int = 0, own: bool = False) -> Sequence[Item]:
        """Return what becomes of items that process `rank` wrote; `own` says that it was this one."""


class Waiting(NamedTuple):
    """Part of a batch, the bytes it holds, and the byte of the log where its batch ends."""

    part: Sequence[Item]
    size: int
    end: int


class Handover:
    """A bounded buffer between two threads, with the log as its second half, and other processes' segments before it.

    `tail` reads what others wrote into the run, before and now. Past the bound the oldest parts are left to the log;
    where there is none they are lost and counted in `unseen`; a dashboard's definition never is.
    """

    def __init__(self, tail: History | None = None, stage: Stage | None = None) -> None:
        self.unseen = 0
        self.damaged = 0
        """Lines of other segments that had to be skipped."""
        self._tail = tail
        self._stage = stage or OneDashboard()
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._path: Path | None = None
        self._left_to_log = 0  # byte up to which the log has what does not wait here
        self._taken = 0  # bytes of the log that were taken

    @property
    def behind(self) -> bool:
        """Whether something has to be read from the log."""
        return self._taken < self._left_to_log

    @property
    def crowded(self) -> bool:
        """Whether so much waits that it is better taken before it has to be left to the log."""
        return self._bytes > WAITING_BYTES // 2

    def catch_up(self, path: Path, end: int) -> None:
        """Begin with what the own log at `path` holds up to byte `end`: it is read from there."""
        with self._lock:
            self._path, self._left_to_log = path, end

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Put in a batch that now ends at byte `end` of the log at `path` (None: there is no log)."""
        parts = batch.parts if isinstance(batch, Packed) else [batch] if batch else []
        with self._lock:
            self._path = path
            for part in parts:
                size = held(part)
                self._waiting.append(Waiting(part, size, end))
                self._bytes += size
            if self._bytes > WAITING_BYTES:
                self._shed()

    def _shed(self) -> None:
        definition: Definition | None = None
        while self._bytes > WAITING_BYTES and (self._path is not None or len(self._waiting) > 1):
            part, size, end = self._waiting.popleft()
            self._bytes -= size
            if self._path is not None:
                self._left_to_log = end
                continue
            definition = next((i for i in reversed(part) if isinstance(i, Definition)), definition)
            self.unseen += len(part)
        while self._waiting and self._waiting[0].end == self._left_to_log and self._path is not None:
            self._bytes -= self._waiting.popleft().size  # the rest of its batch
        if definition is not None:
            self._waiting.appendleft(Waiting([definition], ITEM_BYTES, 0))
            self._bytes += ITEM_BYTES
            self.unseen -= 1

    def take(self, others: bool = True) -> Iterator[Sequence[Item]]:
        """All that waits: with `others` what they have written since, then the own log's, in its order."""
        if others and self._tail is not None:
            yield from self._of_others(self._tail)
        for items in self._own():
            yield self._stage.take(items, own=True)

    def _of_others(self, tail: History) -> Iterator[Sequence[Item]]:
        found = False
        for rank, items in tail.read():
            found = True
            yield self._stage.take(items, rank)
        if found:
            self.damaged = sum(msgspec.structs.astuple(msgspec.structs.replace(tail.damage, torn=0)))

    def _own(self) -> Iterator[Sequence[Item]]:
        with self._lock:
            waiting, self._waiting, self._bytes = self._waiting, deque(), 0
            path, until = self._path, self._left_to_log
        if self._taken < until:
            assert path is not None  # only a log can be fallen behind
            yield from _together(self._from_log(path, until))
        if waiting:
            end = waiting[-1].end
            yield from _together(waiting.popleft().part for _ in range(len(waiting)))
            self._taken = end

    def _from_log(self, path: Path, end: int) -> Iterator[Sequence[Item]]:
        try:
            yield from read_back(path, self._taken, end)
        except OSError as error:
            faults.log.warning(
                "flexlogger: %s cannot be read (%s); a view that had fallen behind leaves it out and goes on",
                path,
                error.strerror or error,
            )
        self._taken = end


def _together(parts: Iterable[Sequence[Item]]) -> Iterator[Sequence[Item]]:
    """The same with rows of the same names joined."""
    rows: list[Rows] = []
    size = 0
    for part in parts:
        if rows and (size >= TOGETHER_BYTES or not rows[0].fits(part)):
            yield Rows.joined(rows)
            rows, size = [], 0
        if isinstance(part, Rows):
            rows.append(part)
            size += part.nbytes
        else:
            yield part
    if rows:
        yield Rows.joined(rows)
