"""Odd input and bad luck, one by one: each ends in a count and a line, never in a stopped log or a raised error."""

from __future__ import annotations

import errno
import gc
import logging
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger import FlexLogger, ValueRefusedError, faults
from flexlogger.answer import Answer
from flexlogger.errors import RunLogError, ServerError
from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.readback import Copied, Readback, Reading
from flexlogger.records import Datum, Definition, Item, Record
from flexlogger.runs.segment import SegmentReader, SegmentWriter, segments
from flexlogger.runs.tail import Tail
from flexlogger.sinks.handover import WAITING_BYTES, Handover
from flexlogger.sinks.memory import MemorySink
from flexlogger.sinks.view import View
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.wire import Connection, address


def on_disk(folder: Path) -> list[Item]:
    return [item for path in segments(folder) for item in SegmentReader(path).read()]


def steps(items: Sequence[Item]) -> list[float]:
    return [item.step for item in items if isinstance(item, Record)]


def test_a_numpy_step_is_a_step() -> None:
    with FlexLogger({"p": {}}, sinks=[]) as stat:
        stat.add(p=1.0)
        stat.log(np.float64(0.5))
        stat.flush()
        assert steps(on_disk(stat.folder)) == [0.5]


def test_text_that_is_no_unicode_is_kept_as_far_as_it_goes() -> None:
    with FlexLogger({"note": {"type": "text"}}, sinks=[]) as stat:
        stat.add(note="bad \udc80 end")
        stat.log(0)
        stat.flush()
        (record,) = (item for item in on_disk(stat.folder) if isinstance(item, Record))
        assert record.data[0].value == "bad ? end"


def test_a_record_that_cannot_be_encoded_does_not_stop_the_log(tmp_path: Path) -> None:
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run")))
    for n in range(5):
        pipe.submit(Record(object() if n == 2 else n, 0.0, {"a": 1.0}))  # type: ignore[arg-type]
    assert pipe.flush(5)
    assert steps(on_disk(tmp_path)) == [0, 1, 3, 4]
    assert pipe.status()["unencodable"] == 1
    pipe.close(5)
    faults.forget()


class Gate:
    def __init__(self, passed: bool) -> None:
        self.passed = passed

    def query(self) -> bool:
        return self.passed


def readback(passed: bool) -> Readback:
    return Readback(lambda tensors: Copied([t.clone() for t in tensors], Gate(passed)))


def test_what_comes_from_a_device_weighs_as_much_as_what_does_not(tmp_path: Path) -> None:
    source = readback(passed=True)
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run")), source=source)
    limit = pipe._limit
    for n in range(5):
        source.push(n, 0.0, {}, (), {}, [Reading("m", "matrix", torch.zeros(100, 100))])
        assert pipe.flush(5)
    assert pipe._limit == limit
    pipe.close(5)


def test_a_device_that_never_answers_is_bounded_and_counted(tmp_path: Path) -> None:
    source = readback(passed=False)
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run")), source=source)
    assert source.push(0, 0.0, {}, (), {"a": torch.tensor(1.0)}, [])
    taken = [source.push_record(Record(n, 0.0, {"a": 1.0})) for n in range(9000)]
    assert taken.count(False) > 0
    waiting = source.pending
    assert not pipe.close(0.2)
    assert pipe.status()["dropped"] == {"not written before close": waiting}


def test_a_value_that_cannot_be_read_back_holds_nothing_up(tmp_path: Path) -> None:
    source = readback(passed=True)
    source.push(0, 0.0, {}, (), {}, [Reading("v", "vector", torch.zeros(2, 3))])
    source.push(1, 0.0, {}, (), {"a": torch.tensor(1.0)}, [])
    items: list[Item] = []
    source.drain(items.append)
    assert steps(items) == [1]
    assert source.pending == 0
    faults.forget()


def test_large_integers_from_a_device_stay_exact() -> None:
    source = readback(passed=True)
    source.push(0, 0.0, {}, (), {"n": torch.tensor(16_777_217)}, [])
    items: list[Item] = []
    source.drain(items.append)
    assert items == [Record(0, 0.0, {"n": 16_777_217.0})]


def test_a_disk_that_is_free_again_is_used_by_flush_and_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = [True]
    real = os.write

    def write(fd: int, data: Any) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr("flexlogger.runs.segment.os.write", write)
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run"), clock=lambda: 0.0))  # no pause ever ends by itself
    for n in range(10):
        pipe.submit(Record(n, 0.0, {"a": 1.0}))
    assert not pipe.flush(0.2)
    full[0] = False
    assert pipe.close(5)
    assert steps(on_disk(tmp_path)) == list(range(10))


class Away(MemorySink):
    def __init__(self) -> None:
        super().__init__()
        self.away = True
        self.tried = threading.Event()

    def flush(self) -> None:
        self.tried.set()
        if self.away:
            raise ServerError("no dashboard server answers")
        super().flush()


def test_a_server_that_is_back_is_drawn_by_a_flush_during_the_back_off() -> None:
    sink = Away()
    view = View(sink, "visdom", clock=lambda: 0.0)
    view.offer([Record(0, 0.0, {"a": 1.0})], None, 0)
    assert sink.tried.wait(5)
    sink.away = False
    assert view.flush(5)
    assert sink.flushes >= 1
    view.close(5)


class Hung(MemorySink):
    def __init__(self, go: threading.Event) -> None:
        super().__init__()
        self.go = go

    def flush(self) -> None:
        self.go.wait(30)


def test_several_hung_views_share_one_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    views = [View(Hung(go), f"hung{n}") for n in range(4)]
    waited: list[float] = []
    real = Answer.wait
    monkeypatch.setattr(Answer, "wait", lambda answer, timeout: waited.append(timeout) or real(answer, timeout))
    pipe = ThreadPipe(Feed(partial(SegmentWriter, tmp_path, "run"), views))
    pipe.submit(Record(0, 0.0, {"a": 1.0}))
    assert not pipe.close(0.4)
    assert sum(timeout for timeout in waited) < 1.6
    go.set()


class Server:
    """Answers like visdom, but for the window it is told to refuse."""

    def __init__(self, answer: Callable[[bytes], tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = answer(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def test_one_refused_window_does_not_keep_the_others_from_being_drawn() -> None:
    import json

    drawn: list[str] = []

    def answer(body: bytes) -> tuple[int, bytes]:
        window = json.loads(body)
        if window["opts"]["title"] == "bbb":
            return 500, b""
        drawn.append(window["opts"]["title"])
        return 200, window["win"].encode()

    server = Server(answer)
    sink = VisdomSink(HttpSender(address("127.0.0.1", server.http.server_port)), "e", "e")
    sink.write([Record(0, 0.0, dict.fromkeys(("aaa", "bbb", "ccc"), 1.0))])
    with pytest.raises(ServerError, match=r"window 'bbb'.*status 500"):
        sink.flush()
    assert drawn == ["aaa", "ccc"]
    sink.close()
    server.close()


def test_a_connection_is_watched_past_a_thousand_open_files() -> None:
    server = Server(lambda body: (200, b"w"))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        connection = Connection(address("127.0.0.1", server.http.server_port))
        assert connection.post("/events", {}) == b"w"
        assert connection.open() == connection.open() == 1
        connection.close()
    finally:
        for file in files:
            os.close(file)
        server.close()


@pytest.mark.parametrize(
    "server", ["localhost:99999", "localhost:abc", "[::1", "ftp://u:PLANTED@h", "http://u:PLANTED@h"]
)
def test_a_server_that_cannot_be_is_one_line_without_secrets(server: str) -> None:
    with pytest.raises(ValueRefusedError) as caught:
        address(server, None)
    assert "PLANTED" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_secret_from_the_environment_is_trimmed_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FLEXLOGGER_TOKEN", "PLANTED-SECRET\n")
    with FlexLogger({"p": {}}, port=1) as stat:
        stat.add(p=1.0)
        stat.log(0)
        stat.flush(1.0)
    assert "PLANTED" not in caplog.text + repr(stat) + str(stat.status())
    for path in stat.folder.rglob("*"):
        assert not path.is_file() or b"PLANTED" not in path.read_bytes()
    monkeypatch.setenv("FLEXLOGGER_TOKEN", "PLANTED\x07SECRET")
    with pytest.raises(ValueRefusedError) as caught:
        FlexLogger({"p": {}}, port=1)
    assert "PLANTED" not in str(caught.value)


def test_damage_in_the_history_is_told_and_what_vanished_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = []
    for run in range(3):
        writer = SegmentWriter(tmp_path, "run")
        writer.append([Record(n + 10 * run, float(run), {"a": 1.0}) for n in range(3)])
        writer.commit()
        writer.close()
        paths.append(writer.path)
    raw = bytearray(paths[0].read_bytes())
    raw[-20] ^= 1
    paths[0].write_bytes(raw)
    paths[1].unlink()
    paths[1].mkdir()
    with caplog.at_level(logging.WARNING, "flexlogger"):
        handover = Handover(Tail(tmp_path))
        items = [item for _ in range(3) for batch in handover.take() for item in batch]
    assert steps(items) == [0, 1, 20, 21, 22]
    assert handover.damaged == 1
    assert len(caplog.records) == 2


def test_an_own_log_that_vanished_does_not_hold_a_view_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handover = Handover()
    handover.catch_up(tmp_path / "gone.jsonl", 100)
    handover.offer([Record(0, 0.0, {"a": 1.0})], tmp_path / "gone.jsonl", 200)
    with caplog.at_level(logging.WARNING, "flexlogger"):
        assert steps([item for batch in handover.take() for item in batch]) == [0]
    handover.offer([Record(1, 0.0, {"a": 1.0})], tmp_path / "gone.jsonl", 300)
    assert steps([item for batch in handover.take() for item in batch]) == [1]
    assert len(caplog.records) == 1


def test_without_a_log_the_buffer_is_bounded_and_the_definition_stays() -> None:
    handover = Handover()
    handover.offer([Definition(0.0, (), ())], None, 0)
    for n in range(50):
        handover.offer([Record(n, 0.0, {}, (Datum("m", "matrix", np.zeros((512, 512))),))], None, 0)
    assert handover._bytes <= WAITING_BYTES + 2**20
    items = [item for batch in handover.take() for item in batch]
    assert isinstance(items[0], Definition)
    assert steps(items)[-1] == 49
    assert handover.unseen + len(steps(items)) == 50


def test_a_single_large_item_reaches_an_idle_view() -> None:
    handover = Handover()
    handover.offer([Record(0, 0.0, {}, (Datum("m", "matrix", np.zeros((1500, 1500))),))], None, 0)
    assert steps([item for batch in handover.take() for item in batch]) == [0]


def test_a_worker_that_logs_nothing_leaves_no_file() -> None:
    with FlexLogger({"p": {}}, sinks=[]) as stat:
        stat.add(p=1.0)
        stat.log(0)
        assert stat.flush()
        pid = os.fork()
        if pid == 0:
            stat.close()
            os._exit(0)
        os.waitpid(pid, 0)
        assert len(segments(stat.folder)) == 1


def test_a_logger_collected_in_its_own_worker_closes_elsewhere(tmp_path: Path) -> None:
    done = threading.Event()

    class Collector(MemorySink):
        def close(self) -> None:
            done.set()

        def write(self, batch: Any) -> None:
            super().write(batch)
            gc.collect()

    stat = FlexLogger({"p": {}}, sinks=[Collector()])
    folder = stat.folder
    stat.cycle = stat  # type: ignore[attr-defined]
    gc.disable()
    try:
        stat.add(p=1.0)
        stat.log(0)
        del stat
        assert done.wait(20)
    finally:
        gc.enable()
    assert steps(on_disk(folder)) == [0]


def test_an_older_logger_keeps_its_own_sinks_when_its_windows_are_taken_over() -> None:
    first, second = MemorySink(), MemorySink()
    options: dict[str, Any] = {"env": "same", "port": 1}
    with FlexLogger({"p": {}}, sinks=["visdom", first], **options) as older:
        with FlexLogger({"p": {}}, sinks=["visdom", second], **options) as newer:
            assert set(older.status()["views"]) == {"card", "MemorySink"}
            assert "visdom" in newer.status()["views"]
            older.add(p=1.0)
            older.log(0)
        older._pipe.flush(5)
        assert not first.closed
    assert first.series("p") == [(0, 1.0)]


def test_a_folder_that_cannot_be_made_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunLogError, match="is not a folder"):
        FlexLogger({"p": {}}, sinks=[], dir=str(tmp_path / "file" / "runs"))


def test_an_exception_in_the_block_ends_the_log_as_crashed() -> None:
    stat = FlexLogger({"p": {}}, sinks=[])

    def loop() -> None:
        with stat:
            stat.add(p=1.0)
            stat.log(0)
            raise RuntimeError("the loop")

    with pytest.raises(RuntimeError, match="the loop"):
        loop()
    assert on_disk(stat.folder)[-1].status == "crashed"  # type: ignore[union-attr]


def test_no_keys_means_nothing() -> None:
    with FlexLogger({"p": {}}, sinks=[view := MemorySink()]) as stat:
        stat.add(p=1.0)
        stat.log(0, keys=[])
        stat.flush()
        assert view.records == []


def test_removing_a_plot_named_like_its_meter_removes_both() -> None:
    with FlexLogger({"a": {}, "b": {}}, {"a": {"type": "SumMeter"}}, sinks=[]) as stat:
        stat.remove("a")
        assert stat.get_definitions() == {"b": ["b"]}
