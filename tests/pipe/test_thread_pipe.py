from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import BATCH, MISSES, ROOM_S, ThreadPipe
from flexlogger.records import End, Event, Item, Record, weight
from flexlogger.runs.segment import SegmentReader, SegmentWriter, segments
from flexlogger.sinks.memory import MemorySink
from flexlogger.sinks.view import View


def records(count: int, start: int = 0) -> list[Record]:
    return [Record(n, 0.0, {"loss": float(n)}) for n in range(start, start + count)]


def read_all(folder: Path) -> list[Item]:
    items: list[Item] = []
    for path in segments(folder):
        reader = SegmentReader(path)
        while more := reader.read():
            items += more
        assert not reader.finish()
    return items


def steps(items: list[Item]) -> list[float]:
    return [item.step for item in items if isinstance(item, Record)]


@pytest.fixture
def make_pipe(tmp_path: Path) -> Iterator[Callable[..., ThreadPipe]]:
    pipes: list[ThreadPipe] = []

    def make(*views: View, **options: Any) -> ThreadPipe:
        pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run"), views), **options)
        pipes.append(pipe)
        return pipe

    yield make
    for pipe in pipes:
        pipe.close(5)


def test_what_is_flushed_is_on_disk_in_order(tmp_path: Path, make_pipe: Callable[..., ThreadPipe]) -> None:
    pipe = make_pipe()
    for record in records(3 * BATCH + 7):
        assert pipe.submit(record)
    assert pipe.flush(10)
    assert steps(read_all(tmp_path)) == list(range(3 * BATCH + 7))


def test_a_flush_in_the_middle_of_a_batch_keeps_the_order(tmp_path: Path, make_pipe: Callable[..., ThreadPipe]) -> None:
    pipe = make_pipe()
    over = threading.Event()

    def flush() -> None:
        while not over.is_set():
            assert pipe.flush(10)

    flushing = [threading.Thread(target=flush) for _ in range(3)]
    for thread in flushing:
        thread.start()
    for record in records(20_000):
        assert pipe.submit(record)
    over.set()
    for thread in flushing:
        thread.join()
    assert pipe.flush(10)
    assert steps(read_all(tmp_path)) == list(range(20_000))


def test_what_is_small_is_not_weighed_again(
    make_pipe: Callable[..., ThreadPipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[Item] = []
    monkeypatch.setattr("flexlogger.pipe.thread.weight", lambda item: weighed.append(item) or weight(item))
    pipe = make_pipe()
    for record in records(3 * BATCH):
        pipe.submit(record)
    assert pipe.flush(10)
    assert weighed == []
    wide = Record(0, 0.0, {f"m{n}": 0.5 for n in range(100)})
    pipe.submit(wide, weight(wide))
    assert pipe.flush(10)
    assert weighed == [wide]
    pipe.submit(records(1)[0])
    assert pipe.flush(10)
    assert weighed == [wide], "it has left the queue"


def test_closing_writes_the_end_and_later_items_are_counted(
    tmp_path: Path, make_pipe: Callable[..., ThreadPipe]
) -> None:
    pipe = make_pipe()
    pipe.submit(records(1)[0])
    assert pipe.close(5)
    assert not pipe.submit(records(1)[0])
    assert pipe.status()["dropped"] == {"after close": 1}
    last = read_all(tmp_path)[-1]
    assert isinstance(last, End)
    assert last.status == "finished"


def test_a_full_queue_makes_the_caller_wait_before_anything_is_lost(
    tmp_path: Path, make_pipe: Callable[..., ThreadPipe]
) -> None:
    pipe = make_pipe(max_bytes=64 * 512)
    assert all(pipe.submit(record) for record in records(5000))
    assert pipe.flush(10)
    assert steps(read_all(tmp_path)) == list(range(5000))


class FullDisk:
    """Makes write(2) on run logs fail until it is freed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        real = os.write

        def write(fd: int, data: Any) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(fd, data)

        monkeypatch.setattr("flexlogger.runs.segment.os.write", write)


def slow_disk(monkeypatch: pytest.MonkeyPatch, wait: Callable[[], object]) -> set[threading.Thread]:
    """Each write(2) on run logs waits first; the threads that wrote."""
    writers: set[threading.Thread] = set()
    real = os.write

    def write(fd: int, data: Any) -> int:
        writers.add(threading.current_thread())
        wait()
        return real(fd, data)

    monkeypatch.setattr("flexlogger.runs.segment.os.write", write)
    return writers


def test_a_tight_loop_slows_to_the_pace_of_a_slow_disk(
    tmp_path: Path, make_pipe: Callable[..., ThreadPipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write takes longer than a caller waits: nothing is lost all the same, for the worker moves."""
    never = threading.Event()
    slow_disk(monkeypatch, lambda: never.wait(2 * ROOM_S))
    pipe = make_pipe(max_bytes=128 * 512)
    assert all(pipe.submit(record) for record in records(1000))
    assert pipe.flush(30)
    assert steps(read_all(tmp_path)) == list(range(1000))


def test_a_disk_that_hangs_is_waited_for_a_second_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    writers = slow_disk(monkeypatch, lambda: go.wait(60))
    monkeypatch.setattr("flexlogger.pipe.thread.ROOM_S", 0.005)
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run")), max_bytes=200 * 512)
    waits = count()
    room = pipe._room.wait
    pipe._room.wait = lambda timeout: next(waits) < 0 or room(timeout)  # type: ignore[method-assign,assignment]
    taken = [pipe.submit(record) for record in records(3000)]
    assert taken.count(False) > 2000
    assert next(waits) <= MISSES + 5, "a few perhaps before it hangs"
    assert writers == {pipe._worker}, "the caller never writes"
    go.set()
    assert pipe.close(10)
    assert steps(read_all(tmp_path)) == [n for n, was_taken in enumerate(taken) if was_taken]


def test_a_refusing_disk_keeps_the_bound_counts_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FullDisk(monkeypatch)
    now = [0.0]
    feed = Feed(partial(SegmentWriter, tmp_path, "run"), clock=lambda: now[0])
    pipe = ThreadPipe(feed, max_bytes=200 * 512)
    with caplog.at_level(logging.WARNING, "flexlogger"):
        taken = [pipe.submit(record) for record in records(3000)]
        assert not pipe.flush(0.3)
    dropped = taken.count(False)
    assert dropped > 0
    assert pipe.status()["dropped"] == {"queue full": dropped}
    assert len([r for r in caplog.records if "cannot write" in r.message]) == 1
    disk.full = False
    now[0] = 60.0
    assert pipe.flush(10)
    items = read_all(tmp_path)
    assert steps(items) == [n for n, was_taken in enumerate(taken) if was_taken]
    assert [item.info for item in items if isinstance(item, Event)] == [{"queue full": dropped}]
    pipe.close(5)


def test_an_end_that_is_interrupted_still_counts_what_never_reached_the_log(
    tmp_path: Path, make_pipe: Callable[..., ThreadPipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a dashboard is waited for, after a log that was given up; the disk has room again just then."""
    disk, view = FullDisk(monkeypatch), View(MemorySink(), "memory")
    pipe = make_pipe(view)
    close, interrupted = view.close, threading.Event()

    def interrupted_first(timeout: float) -> bool:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return close(timeout)

    monkeypatch.setattr(view, "close", interrupted_first)
    for record in records(5):
        pipe.submit(record)
    assert not pipe.flush(0.3)
    for record in records(50, start=5):
        pipe.submit(record)
    with pytest.raises(KeyboardInterrupt):
        pipe.close(0.2)
    disk.full = False
    assert not pipe.close(5)
    written = steps(read_all(tmp_path))
    assert written == list(range(len(written)))
    assert pipe.status()["dropped"] == {"not written before close": 55 - len(written)}


def test_the_first_value_that_is_not_finite_is_named_once(tmp_path: Path, make_pipe: Callable[..., ThreadPipe]) -> None:
    pipe = make_pipe()
    for n, value in enumerate([1.0, float("nan"), float("inf"), 2.0, float("nan")]):
        pipe.submit(Record(n, 0.0, {"loss": value}))
    pipe.flush(5)
    events = [item for item in read_all(tmp_path) if isinstance(item, Event)]
    assert [(e.kind, e.step, e.info["name"]) for e in events] == [("nonfinite", 1, "loss")]
    assert pipe.status()["nonfinite"]["loss"]["step"] == 1


def test_views_get_what_the_log_got(tmp_path: Path, make_pipe: Callable[..., ThreadPipe]) -> None:
    sink = MemorySink()
    pipe = make_pipe(View(sink, "memory"))
    for record in records(100):
        pipe.submit(record)
    assert pipe.flush(10, views=True)
    assert steps(sink.items) == list(range(100))
    pipe.close(5)
    assert sink.closed


class Slow(MemorySink):
    """Waits in its first write until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.started = threading.Event()

    def write(self, batch: Any) -> None:
        self.started.set()
        assert self.go.wait(30)
        super().write(batch)


def test_a_view_that_falls_behind_reads_on_from_the_log(
    make_pipe: Callable[..., ThreadPipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.sinks.handover.WAITING_BYTES", 10 * 512)
    sink = Slow()
    pipe = make_pipe(View(sink, "slow"))
    pipe.submit(records(1)[0])
    assert pipe.flush(5)
    assert sink.started.wait(5)
    for record in records(999, start=1):
        pipe.submit(record)
    assert pipe.flush(5)
    assert pipe.status()["views"]["slow"]["behind"]
    sink.go.set()
    assert pipe.flush(20, views=True)
    assert steps(sink.items) == list(range(1000))
    for record in records(10, start=1000):
        pipe.submit(record)
    assert pipe.flush(5, views=True)
    assert steps(sink.items) == list(range(1010))


def test_a_view_is_handed_columns_where_records_are_alike(make_pipe: Callable[..., ThreadPipe]) -> None:
    class Kinds(MemorySink):
        def __init__(self) -> None:
            super().__init__()
            self.kinds: list[str] = []

        def write(self, batch: Sequence[Item]) -> None:
            self.kinds.append(type(batch).__name__)
            super().write(batch)

    sink = Kinds()
    pipe = make_pipe(View(sink, "kinds"))
    assert pipe.flush(5)
    with pipe._lock:  # the worker waits: all of it is one batch
        for record in records(1000):
            pipe.submit(record)
    assert pipe.flush(5, views=True)
    assert sink.items == records(1000)
    assert "Rows" in sink.kinds


def test_without_a_log_a_view_that_falls_behind_counts_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexlogger.sinks.handover.WAITING_BYTES", 100 * 512)
    sink = Slow()
    pipe = ThreadPipe(Feed(None, [View(sink, "slow")]))
    for start in range(0, 1000, 50):
        for record in records(50, start):
            pipe.submit(record)
        assert pipe.flush(5)
    sink.go.set()
    assert pipe.flush(10, views=True)
    assert len(sink.records) + pipe.status()["views"]["slow"]["unseen"] == 1000
    assert steps(sink.items)[-1] == 999
    pipe.close(5)


class Source:
    def __init__(self) -> None:
        self.waiting: list[Record] = []
        self.arrived = threading.Event()

    @property
    def pending(self) -> int:
        return len(self.waiting)

    def drain(self, take: Callable[[Item], None]) -> None:
        if self.arrived.is_set():
            while self.waiting:
                take(self.waiting[0])
                self.waiting.pop(0)


def test_a_flush_waits_for_values_that_are_still_on_a_device(
    tmp_path: Path, make_pipe: Callable[..., ThreadPipe]
) -> None:
    source = Source()
    source.waiting = list(records(3))
    pipe = make_pipe(source=source)
    assert not pipe.flush(0.2)
    source.arrived.set()
    assert pipe.flush(5)
    assert steps(read_all(tmp_path)) == [0, 1, 2]


def test_a_forked_child_writes_a_segment_of_its_own(tmp_path: Path, make_pipe: Callable[..., ThreadPipe]) -> None:
    sink = MemorySink()
    pipe = make_pipe(View(sink, "memory"))
    for record in records(5):
        pipe.submit(record)
    pid = os.fork()
    if pid == 0:
        ok = pipe.submit(records(1, start=100)[0]) and pipe.flush(5) and pipe.close(5, "forked")
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for record in records(5, start=5):
        pipe.submit(record)
    assert pipe.flush(5, views=True)
    parent, child = (
        SegmentReader(path).read() for path in sorted(segments(tmp_path), key=lambda p: str(pid) in p.name)
    )
    assert steps(parent) == list(range(10))
    assert steps(child) == [100]
    assert child[-1] == End(child[-1].time, "forked")  # type: ignore[union-attr]
    assert steps(sink.items) == list(range(10))
