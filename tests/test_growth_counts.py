"""Cost that grows no faster than the run, by counting what a server is sent: requests, bytes, and how often."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flexlogger import FlexLogger
from flexlogger.errors import SinkError
from flexlogger.records import Item, Record
from flexlogger.sinks.view import View

NAMES = tuple(f"trace_{i}" for i in range(5))


class Counting(ThreadingHTTPServer):
    """Takes windows as a dashboard server does; counts requests and bytes, and keeps the last window."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests = 0
        self.bytes = 0
        self.window: dict[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counting

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        self.server.bytes += len(body)
        self.server.window = json.loads(body)
        answer = self.server.window["win"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def counting() -> Iterator[Counting]:
    with Counting() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def logged(counting: Counting, folder: Path, steps: int) -> tuple[int, int]:
    """Requests and bytes of a run of `steps` steps that is flushed every 100 of them, far more often than by itself."""
    requests, size = counting.requests, counting.bytes
    meters = {name: {"type": "LastValueMeter", "target": "plot"} for name in NAMES}
    where: dict[str, Any] = {"server": "127.0.0.1", "port": counting.server_port, "dir": str(folder)}
    with FlexLogger({"plot": {"type": "line", "max_points": 200}}, meters, **where) as stat:
        for step in range(steps):
            stat.add(dict.fromkeys(NAMES, step + 0.25))
            stat.log(step)
            if step % 100 == 99:
                assert stat.flush()
    return counting.requests - requests, counting.bytes - size


def test_requests_and_bytes_grow_with_the_steps_and_no_faster(counting: Counting, tmp_path: Path) -> None:
    few, small = logged(counting, tmp_path / "1k", 1_000)
    many, large = logged(counting, tmp_path / "10k", 10_000)
    assert many <= 11 * few
    assert large <= 11 * small
    last = counting.window["data"][0]["x"]
    assert len(last) <= 200
    assert (last[0], last[-1]) == (0, 9_999)


def test_a_loop_that_does_not_wait_is_drawn_by_the_clock_and_not_by_the_step(
    counting: Counting, tmp_path: Path
) -> None:
    started = time.monotonic()
    meters = {name: {"type": "LastValueMeter", "target": "plot"} for name in NAMES}
    where: dict[str, Any] = {"server": "127.0.0.1", "port": counting.server_port, "dir": str(tmp_path)}
    with FlexLogger({"plot": {"type": "line"}}, meters, **where) as stat:
        for step in range(10_000):
            stat.add(dict.fromkeys(NAMES, 0.5))
            stat.log(step)
    # Twice a second, one for the definition, one at close.
    assert counting.requests <= 2 * (time.monotonic() - started) + 3


class Clocked:
    """A sink that advances the clock it is measured by: each flush takes `cost` seconds."""

    def __init__(self, cost: float) -> None:
        self.now = 0.0
        self.cost = cost
        self.flushed_at: list[float] = []
        self.broken = False

    def write(self, batch: list[Item]) -> None:
        """Take nothing."""

    def flush(self) -> None:
        self.flushed_at.append(self.now)
        self.now += self.cost
        if self.broken:
            raise SinkError("away")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("cost", "apart"), [(0.0, 0.5), (0.01, 0.5), (0.3, 1.2)])
def test_a_view_is_refreshed_at_most_twice_a_second_and_less_often_where_that_is_slow(
    cost: float, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    sink = Clocked(cost)
    view = View(sink, "clocked", clock=lambda: sink.now, computed=lambda: 0.0)  # what is slow is elsewhere
    view.flush(5.0)  # the thread sleeps now; from here its steps are ours
    sink.flushed_at.clear()
    for tick in range(1, 1001):
        sink.now = max(sink.now, tick * 0.01)
        view.offer([Record(tick, sink.now, {"a": 1.0})], None, 0)
        view._step()
    gaps = [later - earlier for earlier, later in zip(sink.flushed_at, sink.flushed_at[1:], strict=False)]
    assert len(gaps) >= 5
    assert min(gaps) >= apart - 1e-9
    view.close(5.0)
