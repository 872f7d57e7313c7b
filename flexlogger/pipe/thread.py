"""The pipe inside the training process: `submit` is one append, a worker thread does the rest."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Collection
from typing import Any, cast

from flexlogger import faults
from flexlogger.alarm import Alarm
from flexlogger.pipe.base import Outlet, Source
from flexlogger.pipe.feed import Feed
from flexlogger.records import ITEM_BYTES, Definition, Item, weight

MAX_BYTES = 32 * 2**20
BATCH = 1024
POLL_S = 0.05
ROOM_S = 0.02
"""The longest a caller waits for room where the queue fills up …"""
MISSES = 50
"""… and after so many waits in which the worker did nothing at all, no caller waits before it does something."""
ROOM = 0.75
"""The share of the queue from which on callers wait. What is above is for those whose wait was in vain."""


class Barrier:
    """Travels through the queue like an item; set once everything before it is on disk."""

    def __init__(self, source: Source | None) -> None:
        self.reached = threading.Event()
        self.last_lap = source is None
        """True once nothing that was logged before it can still come in behind it."""


class ThreadPipe:
    """A bounded queue and a worker that empties it into a `Feed` (the run log, then the views).

    Bounded in bytes: from three quarters of `max_bytes` on each caller waits up to 20 ms for the worker, so that a
    tight loop slows to the log's pace. Only at `max_bytes`, which takes a disk that refuses or hangs, is the newest
    item dropped and counted. One thread at a time may submit.

    In a forked child the queue starts empty, the feed opens a segment of its own, and the worker starts with the first
    item.
    """

    def __init__(self, feed: Feed, *, source: Source | None = None, max_bytes: int = MAX_BYTES) -> None:
        self._feed = feed
        self._source = source
        self._max_bytes = max_bytes
        self._dropped: Counter[str] = Counter()
        self._closed = False
        self._written: bool | None = None
        self._complete: bool | None = None
        self._definition: Definition | None = None
        self._reset()
        self._start()
        _pipes.add(self)

    def _reset(self) -> None:
        self._queue: deque[Item | Barrier] = deque()
        self._large_in = 0  # bytes of large items taken (written by the submitting thread only)
        self._large_arrived = 0  # … come in from the source (written by whoever holds the lock)
        self._large_out = 0  # … and passed on (likewise)
        self._limit = self._before_waiting()
        self._lock = threading.Lock()
        self._wake = Alarm()
        self._room = threading.Event()
        self._missed = 0  # waits in a row in which the worker took nothing
        self._worker: threading.Thread | None = None

    # ---- the training thread

    def submit(self, item: Item, size: int = 0) -> bool:
        """Take one item; `size` is its `weight`. False where it was dropped and counted."""
        if not size and len(self._queue) < self._limit:
            self._queue.append(item)
            return True
        return self._submit_slowly(item, size)

    def define(self, definition: Definition) -> None:
        """Submit the dashboard in force; a forked child's segment begins with it too."""
        self._definition = definition
        self.submit(definition)

    def _submit_slowly(self, item: Item, size: int) -> bool:
        if self._closed:
            if not self._dropped["after close"]:
                faults.log.warning("flexlogger: logging after close: it is counted, and not recorded")
            return self.drop("after close")
        if self._worker is None:
            self._start()
        if self._queue and self._weight() + size > ROOM * self._max_bytes:
            self._wait_for_room()
        if self._weight() + size > self._max_bytes:
            return self.drop("queue full")
        self._large_in += size
        self._set_limit()
        self._queue.append(item)
        return True

    def _weight(self) -> int:
        return (len(self._queue) + 1) * ITEM_BYTES + self._large()

    def _large(self) -> int:
        return self._large_in + self._large_arrived - self._large_out

    def _set_limit(self) -> None:
        if not self._closed:
            self._limit = self._before_waiting()

    def _before_waiting(self) -> int:
        """Ordinary items that may be queued before callers wait."""
        return int(ROOM * self._max_bytes - self._large()) // ITEM_BYTES

    def drop(self, reason: str) -> bool:
        """Count an item that is not taken; False, as `submit` returns it."""
        self._dropped[reason] += 1
        return False

    def _wait_for_room(self) -> None:
        """Let the worker write alone for a moment. The disk may hang, so the caller never writes itself; and where the
        disk refuses, or the worker is not heard of for a second in all, waiting helps nobody."""
        if self._feed.stuck or self._missed >= MISSES:
            return
        self._room.clear()
        self._missed += 1  # until the worker takes something
        self._wake.ring()
        self._room.wait(ROOM_S)

    # ---- the worker

    def _start(self) -> None:
        self._limit = self._before_waiting()
        self._worker = threading.Thread(target=self._run, name="flexlogger-log", daemon=True)
        self._worker.start()

    def _run(self) -> None:
        while not self._closed:
            self._wake.sleep(POLL_S)
            try:
                with self._lock:
                    while self._pass_on():
                        pass
            except Exception as error:
                faults.swallow("the log's writing", error)

    def _pass_on(self) -> bool:
        """Move one batch to the feed; False where there was nothing to move or the disk refuses."""
        if self._feed.stuck and not self._feed.retry():
            return False
        if self._source is not None:
            self._source.drain(self._arrived)
        batch, barrier = self._take()
        if batch:
            self._feed.write(batch)
        if self._dropped:
            self._feed.note_drops(self._dropped.copy())
        on = barrier is not None and self._settle(barrier)
        return (bool(batch) or on) and not self._feed.stuck

    def _arrived(self, item: Item) -> None:
        self._large_arrived += weight(item)
        self._queue.append(item)

    def _take(self) -> tuple[list[Item], Barrier | None]:
        """Up to one batch off the queue, cut short by a barrier."""
        batch, barrier = self._pop()
        if self._large() and (large := sum(map(weight, batch))):  # to weigh each costs as much as to encode it
            self._large_out += large
            self._set_limit()
        self._missed = 0
        if len(self._queue) < self._limit // 2:
            self._room.set()
        return batch, barrier

    def _pop(self) -> tuple[list[Item], Barrier | None]:
        queue = self._queue
        taken = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        if Barrier not in set(map(type, taken)):
            return cast(list[Item], taken), None
        at, barrier = next((at, item) for at, item in enumerate(taken) if isinstance(item, Barrier))
        queue.extendleft(reversed(taken[at + 1 :]))
        return cast(list[Item], taken[:at]), barrier

    def _settle(self, barrier: Barrier) -> bool:
        """Set a barrier, or let it wait on; False where nothing can be done about it now."""
        if self._feed.stuck:
            self._queue.appendleft(barrier)
            return False
        if barrier.last_lap:
            barrier.reached.set()
            return True
        assert self._source is not None
        self._source.drain(self._arrived)
        barrier.last_lap = not self._source.pending
        self._queue.append(barrier)
        return barrier.last_lap

    # ---- waiting

    def flush(self, timeout: float, views: bool = False) -> bool:
        """Wait until all that was submitted is on disk, with `views` also shown; False where time ran out."""
        if self._closed:
            return True
        deadline = time.monotonic() + timeout
        if self._worker is None:
            self._start()
        barrier = Barrier(self._source)
        self._feed.try_now()
        self._queue.append(barrier)
        self._wake.ring()
        if not barrier.reached.wait(timeout):
            return False
        return not views or self._feed.flush_views(max(0.0, deadline - time.monotonic()))

    def close(self, timeout: float, status: str = "finished") -> bool:
        """Flush and end the segment within `timeout` seconds, then give the views as long; False where something did
        not get through. What never reached the log is counted as dropped.

        Where Ctrl-C interrupts it, another call goes on from there."""
        if self._complete is None:
            self._complete = self._close(timeout, status)
        return self._complete

    def _close(self, timeout: float, status: str) -> bool:
        deadline = time.monotonic() + timeout
        if self._written is None:
            idle = self._worker is None and not self._queue  # a forked child that never logged
            self._written = idle or self.flush(timeout)
        self._closed = True
        self._limit = 0
        self._wake.ring()
        if self._worker is not None:
            self._worker.join(max(0.1, deadline - time.monotonic()))
            if self._worker.is_alive():  # the disk hangs inside a write: the feed is not ours to touch
                self._count_left_behind()
                return False
        shown = self._feed.close(timeout, status)
        if not self._written:
            self._count_left_behind()
        return shown and self._written

    def _count_left_behind(self) -> None:
        waiting = self._source.pending if self._source is not None else 0
        left = waiting + sum(not isinstance(item, Barrier) for item in list(self._queue)) + self._feed.unwritten
        if left:
            self._dropped["not written before close"] += left

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is one of the pipe's own, which cannot wait for itself."""
        return thread is self._worker or self._feed.runs_in(thread)

    def add_view(self, view: Outlet) -> None:
        """Feed one more view, which begins with what is in the log already."""
        with self._lock:
            self._feed.add_view(view)

    def stop_views(self, views: Collection[Outlet]) -> None:
        """Let go of some views at once, whatever they have not shown. Never waits."""
        self._feed.stop_views(views)

    def release_views(self, views: Collection[Outlet], timeout: float) -> None:
        """Let some views show what is left and stop; the log and the other views go on."""
        self.flush(timeout)
        self._feed.release_views(views, timeout)

    @property
    def stuck(self) -> bool:
        """True while the disk refuses the log."""
        return self._feed.stuck

    def status(self) -> dict[str, Any]:
        """Counts of queued, written and dropped items, and the health of each view."""
        return {"queued": len(self._queue), "dropped": dict(self._dropped), **self._feed.status()}

    # ---- fork

    def after_fork(self) -> None:
        """In the child: nothing of the parent's queue, thread or sockets is ours."""
        self._reset()
        if self._source is not None:
            self._source.forget()
        self._limit = 0  # the first submit takes the slow path and starts a worker
        self._dropped = Counter()
        self._feed.after_fork(self._definition)
        if not self._closed:
            _flush_when_worker_ends(self)


def _flush_when_worker_ends(pipe: ThreadPipe) -> None:
    """Children of multiprocessing skip atexit; their own finalizers run instead. Registered by the after-forkers,
    because the child clears the finalizers it inherited only after our fork hook has run."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(pipe, lambda p: util.Finalize(None, p.close, args=(5.0, "forked"), exitpriority=10))


_pipes: weakref.WeakSet[ThreadPipe] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for pipe in list(_pipes):
        pipe.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
