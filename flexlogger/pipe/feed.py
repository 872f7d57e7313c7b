"""What a pipe pours into: the run log first, then every view."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from flexlogger import faults
from flexlogger.endings import uninterrupted
from flexlogger.pipe.base import Outlet
from flexlogger.records import Definition, End, Event, Item, Record, are_finite, is_finite
from flexlogger.rows import Packed
from flexlogger.runs.segment import SegmentWriter

RETRY_S = (0.5, 30.0)
"""First and longest pause after the disk refused."""


class Feed:
    """Writes batches to the run log and hands what is on disk to the views. Called by one thread at a time.

    Where the disk refuses, the batch in hand is kept and `stuck` is set; `retry` goes on at the same byte after a
    pause. `make_writer` makes the segment, again in a forked child; None where the run log is off.
    """

    def __init__(
        self,
        make_writer: Callable[[], SegmentWriter] | None,
        views: Sequence[Outlet] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.views = tuple(views)
        self._make_writer = make_writer
        self._opening: Definition | None = None  # what a forked child's segment begins with
        self._clock = clock
        self._wall = wall
        self._reset()

    def _reset(self) -> None:
        self.writer = self._make_writer() if self._make_writer is not None else None
        self.stuck = False
        self._ended = False
        self._unwritten: deque[Item] = deque()
        self._undelivered: list[Item] = []
        self._delivered = 0  # bytes of the log that views were given
        self._pause = RETRY_S[0]
        self._retry_at = 0.0
        self._written = 0
        self._refusals = 0
        self._nonfinite: dict[str, dict[str, Any]] = {}
        self._noted: Counter[str] = Counter()

    # ---- items

    def write(self, batch: Sequence[Item]) -> None:
        """Write a batch to the log and deliver it; sets `stuck` where the disk refuses."""
        if self._opening is not None:
            self._unwritten.append(self._opening)
            self._opening = None
        self._unwritten.extend(batch)
        self._unwritten.extend(self._first_nonfinite(batch))
        self._push()

    def retry(self) -> bool:
        """Try the refused batch again where its pause is over; True where the log moves again."""
        if self._clock() >= self._retry_at:
            self._push()
        return not self.stuck

    def try_now(self) -> None:
        """Let the next `retry` try at once: somebody waits."""
        self._retry_at = 0.0

    @property
    def unwritten(self) -> int:
        """Items taken that are not on disk; the disk may have taken some of a batch that it refused."""
        lines = self.writer.pending if self.writer is not None else 0
        return len(self._unwritten) + min(len(self._undelivered), lines)

    def _push(self) -> None:
        try:
            self._log()
        except OSError as error:
            self._refused(error)
            return
        if self.stuck:
            faults.log.warning("flexlogger: the run log is written again")
        self.stuck = False
        self._pause = RETRY_S[0]
        self._deliver()

    def _log(self) -> None:
        try:
            while self._unwritten:
                done = self._append(list(self._unwritten))
                self._undelivered += [self._unwritten.popleft() for _ in range(done)]
        finally:  # what was encoded goes to disk even where a blob behind it cannot
            if self.writer is not None and self.writer.used:
                self.writer.commit()
        self._written += len(self._undelivered)

    def _append(self, items: list[Item]) -> int:
        return self.writer.append(items) if self.writer is not None else len(items)

    def _refused(self, error: OSError) -> None:
        self._refusals += 1
        self._retry_at = self._clock() + self._pause
        self._pause = min(2 * self._pause, RETRY_S[1])
        if not self.stuck:
            self.stuck = True
            where = self.writer.run_dir if self.writer is not None else "the run log"
            faults.log.warning(
                "flexlogger: cannot write %s (%s); training goes on, up to 32 MB wait in memory and what does not fit "
                "is dropped and counted; free the disk and it continues by itself",
                where,
                error.strerror or error,
            )

    def _deliver(self) -> None:
        undelivered, self._undelivered = self._undelivered, []
        path, self._delivered = (self.writer.path, self.writer.offset) if self.writer is not None else (None, 0)
        if not self.views:
            return
        batch = Packed(undelivered)
        for view in self.views:
            view.offer(batch, path, self._delivered)

    # ---- what happened to the run

    def _first_nonfinite(self, batch: Sequence[Item]) -> list[Item]:
        """An event for each name whose value is NaN or infinite for the first time."""
        records = [item for item in batch if isinstance(item, Record)]
        if are_finite(records):
            return []
        events: list[Item] = []
        for item in records:
            if is_finite(item):
                continue
            for name, value in item.values.items():
                if value - value != 0.0 and name not in self._nonfinite:
                    first = {"value": str(value), "step": item.step}
                    self._nonfinite[name] = first
                    events.append(Event(item.time, "nonfinite", {"name": name, **first}, item.step))
        return events

    def note_drops(self, dropped: Counter[str]) -> None:
        """Write an event with the counts of dropped items where they have changed and the log takes it."""
        if dropped == self._noted or self.stuck:
            return
        self._noted = Counter(dropped)
        self.write([Event(self._wall(), "drops", dict(dropped))])

    def status(self) -> dict[str, Any]:
        """Counts, the log's place, the health of each view, and the first value of each name that was not finite: as
        the views know it, who see what other processes log and what was logged before the run was resumed."""
        views = {view.name: view.status() for view in self.views}
        nonfinite = dict(self._nonfinite)
        for told in views.values():
            nonfinite |= told.pop("nonfinite", {})
        return {
            "log": str(self.writer.path) if self.writer is not None else None,
            "written": self._written,
            "unencodable": self.writer.unencodable if self.writer is not None else 0,
            "deleted": self.writer.lost if self.writer is not None else 0,
            "stuck": self.stuck,
            "refusals": self._refusals,
            "nonfinite": nonfinite,
            "views": views,
        }

    # ---- the end

    def flush_views(self, timeout: float) -> bool:
        """Wait until every view shows what was delivered to it, those aside that are let go of meanwhile."""
        deadline = time.monotonic() + timeout
        asked = [(view, view.ask()) for view in self.views]
        shown = [answer.wait(max(0.0, deadline - time.monotonic())) or view not in self.views for view, answer in asked]
        return all(shown)

    def add_view(self, view: Outlet) -> None:
        """Deliver to one more view, which begins with what is in the log already."""
        if self.writer is not None:
            view.catch_up(self.writer.path, self._delivered)
        self.views = (*self.views, view)

    def stop_views(self, views: Collection[Outlet]) -> None:
        """Let go of some views at once, whatever they have not shown: somebody else draws it. Never waits."""
        self.views = tuple(view for view in self.views if view not in views)
        for view in views:
            view.stop()

    def release_views(self, views: Collection[Outlet], timeout: float) -> None:
        """Let go of some views; what is delivered later is only in the log."""
        self.views = tuple(view for view in self.views if view not in views)
        _close(list(views), timeout)

    def close(self, timeout: float, status: str) -> bool:
        """Write the end line, then give all views together `timeout` seconds. False where something is left behind.

        Where Ctrl-C interrupts it, another call goes on from there."""
        with uninterrupted():
            self._write_end(status)
        on_disk = not self.stuck
        shown = _close(self.views, timeout)
        if self.writer is not None:
            self.writer.close()
        return on_disk and shown

    def _write_end(self, status: str) -> None:
        if self.stuck:
            self.try_now()
            self.retry()
        if not self.stuck and not self._ended and self._writes():
            self._ended = True
            self.write([End(self._wall(), status)])

    def _writes(self) -> bool:
        return self.writer is None or self.writer.used or bool(self._unwritten)

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is a view's own."""
        return any(view.runs_in(thread) for view in self.views)

    def after_fork(self, opening: Definition | None) -> None:
        """In the child: the parent's segment and views are not ours; our own segment begins with `opening`."""
        self.views = ()
        self._reset()
        self._opening = opening


def _close(views: Sequence[Outlet], timeout: float) -> bool:
    """Close views together: all are asked before the first is waited for."""
    deadline = time.monotonic() + timeout
    for view in views:
        view.ask()
    shown = [view.close(max(0.0, deadline - time.monotonic())) for view in views]  # each gets its chance
    return all(shown)
