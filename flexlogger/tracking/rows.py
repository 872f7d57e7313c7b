"""Several calls at one step become one record."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from flexlogger.pipe.thread import ThreadPipe
from flexlogger.readback import Readback, Waiting
from flexlogger.records import Record, Step, weight
from flexlogger.tracking.values import Call, Later, Refuse

HOLD_S = 0.5
"""How long a record waits for more values of its step; those that come later make a record of their own."""


class Row:
    """The record of one step while calls may still add to it. Belongs to whoever took it out of `Held`."""

    __slots__ = ("_parts", "due", "step", "time")

    def __init__(self, step: Step, time: float) -> None:
        self.step = step
        self.time = time
        self.due = time + HOLD_S
        """When it is kept back no longer, in unix seconds."""
        self._parts: list[Record | Waiting] = []

    def add(self, part: Record | Waiting) -> None:
        """Add values; a later one of the same name wins."""
        self._parts.append(part)

    @property
    def empty(self) -> bool:
        """True where nothing of it was taken."""
        return not self._parts

    @property
    def complete(self) -> bool:
        """True where nothing of it is on a device or to be encoded."""
        return all(isinstance(part, Record) for part in self._parts)

    @property
    def size(self) -> int:
        """Bytes that were reserved for it."""
        return sum(part.size for part in self._parts if not isinstance(part, Record))

    def arrived(self) -> bool:
        """True once `record` need not wait for a copy."""
        return all(isinstance(part, Record) or part.arrived() for part in self._parts)

    def record(self) -> Record:
        """All of it in one record."""
        parts = [part if isinstance(part, Record) else part.record() for part in self._parts]
        if len(parts) == 1:
            return parts[0]
        values = {name: value for part in parts for name, value in part.values.items()}
        data = {datum.name: datum for part in parts for datum in part.data}
        return Record(self.step, self.time, values, tuple(data.values()))


class Held:
    """The row that is kept back. Two threads may want it: training, to add to it or to end it, and the pipe's worker,
    once it is due. A pop is one step, so exactly one of them gets it, and the worker needs no lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cell: deque[Row] = deque()
        self.keeps = True
        """False in a forked child, whose worker may not be running: nothing is kept back there."""
        self.turn = threading.RLock()
        """Held by the one of several training threads that fills the row."""

    def put(self, row: Row) -> None:
        """Keep a row; the one before was taken."""
        self._cell.append(row)

    def take(self) -> Row | None:
        """Take the row, if the other thread has not."""
        try:
            return self._cell.popleft()
        except IndexError:
            return None

    def due(self) -> Row | None:
        """Take the row if it was kept back long enough."""
        try:
            return self._cell.popleft() if self._cell[0].due <= self._clock() else None
        except IndexError:
            return None

    def forget(self) -> None:
        """Drop it: in a forked child it is the parent's."""
        self._cell.clear()
        self.keeps = False
        self.turn = threading.RLock()


class Rows:
    """From calls to records, as wandb counts them.

    A call without a step belongs to `step` and ends it: the counter goes on by one. A call with a step, or with
    commit=False, leaves its step open for more; another step, commit=True or a call without a step ends it.
    """

    def __init__(
        self,
        pipe: ThreadPipe,
        readback: Readback,
        step: Step,
        max_media: int,
        refuse: Refuse,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.step = step
        """The step of what is logged next without one."""
        self._open = False
        self._pipe = pipe
        self._readback = readback
        self._max_media = max_media
        self._refuse = refuse
        self._held = Held(clock)
        readback.holders += (self._held,)

    def add_numbers(self, values: dict[str, float], now: float, step: Step | None, commit: bool | None) -> None:
        """Take the numbers of a call; the dict is the row's from here on. A call of nothing may still end a step."""
        if not values:
            self._end(step, commit)
        elif step is None and commit is not False and not self._open:
            self._submit(Record(self.step, now, values))
            self.step = math.floor(self.step) + 1
        else:
            with self._held.turn:
                ends = self._turn_to(step, commit)
                row = self._row(now)
                row.add(Record(row.step, now, values))
                self._leave(row, ends, commit)

    def add(self, call: Call, now: float, step: Step | None, commit: bool | None) -> None:
        """Take a call of any values."""
        if not (call.data or call.scalars or call.readings or call.later):
            self.add_numbers(call.values, now, step, commit)
            return
        with self._held.turn:
            ends = self._turn_to(step, commit)
            row = self._row(now)
            self._fill(row, call, now)
            self._leave(row, ends, commit)

    def _fill(self, row: Row, call: Call, now: float) -> None:
        if call.values or call.data:
            row.add(Record(row.step, now, call.values, tuple(call.data)))
        if call.scalars or call.readings:
            size = sum(reading.value.nbytes for reading in call.readings)
            if self._reserve(size):
                row.add(self._readback.start(row.step, now, {}, (), call.scalars, call.readings))
        for name, value in call.later:
            later = Later(row.step, now, name, value, self._max_media, self._refuse)
            if self._reserve(later.size):
                row.add(later)

    def queue(self, waiting: Waiting) -> None:
        """Send a record that is complete in itself as soon as it has arrived."""
        if self._reserve(waiting.size):
            self._readback.queue(waiting)

    def settle(self) -> None:
        """Send off what is kept back only for a moment: values of its step that come later make another record."""
        with self._held.turn:
            row = self._held.take()
            if row is not None and row.due < math.inf:
                self._send(row)
            elif row is not None:
                self._held.put(row)

    def release(self) -> None:
        """Send off what is kept back, for whatever reason."""
        with self._held.turn:
            row = self._held.take()
            if row is not None:
                self._send(row)

    def close(self) -> None:
        """Send off what is kept back, and keep back nothing any more."""
        self.release()
        self._readback.holders = tuple(holder for holder in self._readback.holders if holder is not self._held)

    # ---- steps

    def _end(self, step: Step | None, commit: bool | None) -> None:
        """End a step that is open, where a call asks for that."""
        with self._held.turn:
            if self._turn_to(step, commit) and self._open:
                self.release()
                self._open = False
                self.step = math.floor(self.step) + 1

    def _turn_to(self, step: Step | None, commit: bool | None) -> bool:
        """Go to the step of a call; True where the call ends it."""
        if step is None:
            return commit is not False
        if step != self.step:
            self.release()
            self.step, self._open = step, False
        return bool(commit)

    def _row(self, now: float) -> Row:
        row = self._held.take() if self._open else None
        return row if row is not None else Row(self.step, now)

    def _leave(self, row: Row, ends: bool, commit: bool | None) -> None:
        """Send a row off where its step ends, else keep it back: for a moment, with commit=False for good."""
        self._open = not ends
        if ends:
            self.step = math.floor(row.step) + 1
        if ends or not self._held.keeps:
            self._send(row)
        else:
            row.due = math.inf if commit is False else row.due
            self._held.put(row)

    # ---- sending

    def _reserve(self, size: int) -> bool:
        return self._readback.reserve(size) or self._pipe.drop("device too slow")

    def _send(self, row: Row) -> None:
        if not row.complete:
            self._readback.queue(row)
        elif not row.empty:
            self._submit(row.record())

    def _submit(self, record: Record) -> None:
        if not self._readback.pending:
            self._pipe.submit(record, weight(record))
        elif not self._readback.push_record(record):
            self._pipe.drop("device too slow")
