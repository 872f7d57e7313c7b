"""A client whose host is none, or none of ours: one line in the log, however often it tries, and hardly any memory."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import zmq

from flexlogger.monitor.protocol import Head, message
from flexlogger.monitor.state_monitor import StateMonitor
from flexlogger.net.keys import make_keys
from tests.monitor.test_doors import DEALER_GREETING, READY, raw, until_refused
from tests.monitor.watching import wait_for

ROUTER_READY = READY.replace(b"DEALER", b"ROUTER")
LITTLE = 64 * 2**20
"""Far less than what is announced."""


class Stranger:
    """Listens, says the same to everyone who connects, and hangs up."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            with visitor, contextlib.suppress(OSError):
                visitor.settimeout(0.2)
                visitor.sendall(self._words)
                while visitor.recv(4096):
                    pass
            self.visits += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client says after a moment that nobody answers, and tries again."""
    monkeypatch.setattr("flexlogger.monitor.client.WARN_S", 0.1)
    monkeypatch.setattr("flexlogger.net.link.RETRY_S", 0.1)


@contextlib.contextmanager
def trying(port: int, keys: Path | None = None) -> Iterator[StateMonitor]:
    """A client that has something to send and is left without saying good-bye."""
    client = StateMonitor("client", port=port, keys=keys).start()
    client.put({"n": 1})
    try:
        yield client
    finally:
        client.end(timeout=0.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a client logged, but for what it says at its end."""
    said = [record.getMessage() for record in caplog.records]
    return [line for line in said if ("nobody answers" in line or "understand each other" in line)]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        DEALER_GREETING,
        DEALER_GREETING + ROUTER_READY + b"\x01\x06FLX\x01",
        DEALER_GREETING + ROUTER_READY + b"\x02" + struct.pack(">Q", 2**32),
        DEALER_GREETING + ROUTER_READY + b"\x02" + struct.pack(">Q", 2**30 - 1),
        b"",
    ],
    ids=["http", "half a handshake", "half a frame", "a frame of 4 GB", "most of 1 GB that never comes", "mute"],
)
def test_a_host_that_is_none_is_one_line(words: bytes, caplog: pytest.LogCaptureFixture) -> None:
    before = psutil.Process().memory_info().rss
    with contextlib.closing(Stranger(words)) as stranger, trying(stranger.port) as client:
        wait_for(lambda: stranger.visits >= 4, "the fourth try")
        wait_for(lambda: bool(lines(caplog)), "the line")
        assert not client.status()["connected"]
        assert client.status()["queued"] == 1
    assert psutil.Process().memory_info().rss - before < LITTLE
    (line,) = lines(caplog)
    assert f"nobody answers at tcp://127.0.0.1:{stranger.port}" in line
    assert "\n" not in line


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([b"FLX\x09W", b"\x80"], "a message of version 9; this is version 1"),
        (message(b"R", Head(why="a message of version 1;\nthis is version 9")), "version 1; this is version 9"),
        ([b"FLX\x01W", b"\x81\xa3why\xa1\xff"], "a message whose head cannot be read"),
        ([b"hello"], "a message of 1 frames"),
    ],
    ids=["of another version", "to which ours is another version", "damaged", "of another kind"],
)
def test_a_host_that_is_not_understood_is_one_line(
    answer: list[bytes], why: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.net.link.SILENCE_S", 0.3)  # it connects anew, and again
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket_, contextlib.ExitStack() as stack:
        client = stack.enter_context(trying(socket_.bind_to_random_port("tcp://127.0.0.1")))
        for _ in range(4):
            assert socket_.poll(20_000)
            route, *said = socket_.recv_multipart()
            assert said[0] == b"FLX\x01H"
            socket_.send_multipart([route, *map(bytes, answer)])
        wait_for(lambda: bool(lines(caplog)), "the line")
        assert not client.status()["connected"]
    (line,) = lines(caplog)
    assert why in line
    assert "\n" not in line


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("keyed", [True, False], ids=["another key", "no key"])
def test_a_client_that_is_not_let_in_is_one_line_on_each_side(
    keyed: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab, other = make_keys(tmp_path / "lab"), make_keys(tmp_path / "other")
    with StateMonitor("host", port=0, keys=lab[0]) as host, trying(host.port, other[1] if keyed else None):
        wait_for(lambda: sum(host.status()["refused"].values()) >= 4, "the fourth try")
        wait_for(lambda: bool(lines(caplog)), "the line")
        (refused,) = host.status()["refused"]
        assert [record.getMessage() for record in caplog.records].count(f"flexlogger: monitor: {refused}") == 1
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize("size", [2**32, 2**30 - 1], ids=["4 GB", "most of 1 GB that never comes"])
def test_a_length_that_lies_costs_a_host_hardly_any_memory(size: int, caplog: pytest.LogCaptureFixture) -> None:
    before = psutil.Process().memory_info().rss
    with StateMonitor("host", port=0) as host:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", host.port), timeout=10) as visitor:
                visitor.sendall(DEALER_GREETING + READY + b"\x02" + struct.pack(">Q", size))
                visitor.settimeout(0.2)
                with contextlib.suppress(OSError):
                    while visitor.recv(4096):
                        pass
        wait_for(lambda: sum(host.status()["refused"].values()) == 5, "the fifth refusal")
        assert psutil.Process().memory_info().rss - before < LITTLE
        assert len(host.status()["refused"]) == 1
    assert len(caplog.records) == 1


def test_an_old_client_is_one_line_at_the_host(caplog: pytest.LogCaptureFixture) -> None:
    with StateMonitor("host", port=0) as host:
        for _ in range(3):
            with raw(host) as connection:
                connection.send_multipart([b"FLX\x00H", b"\x80"])
                assert connection.poll(20_000)
        until_refused(host, "a message of version 0; this is version 1")
    assert len(caplog.records) == 1
