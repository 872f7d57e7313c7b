"""What is not let in: wrong keys, no keys, other versions, garbage, lengths that lie. Each is one line in the log."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from flexlogger.errors import ValueRefusedError
from flexlogger.monitor import protocol
from flexlogger.monitor.protocol import Head, message
from flexlogger.monitor.state_monitor import StateMonitor
from flexlogger.net.keys import client_keys, host_keys, make_keys

DEALER_GREETING = b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\x00") + b"\x00" + b"\x00" * 31
"""How a ZMTP 3.0 connection without encryption begins."""


@pytest.fixture
def host() -> Iterator[StateMonitor]:
    with StateMonitor(mode="host", port=0) as monitor:
        yield monitor


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_keys(tmp_path / "lab")


def still_works(host: StateMonitor, keys: Path | None = None) -> None:
    with StateMonitor("client", port=host.port, keys=keys) as client:
        client.put({"fine": True})
        assert host.get(timeout=20) == {"fine": True}


def until_refused(host: StateMonitor, reason: str) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if any(reason in told for told in host.status()["refused"]):
            return
        waiting.wait(0.01)
    raise AssertionError(f"not refused within 20 s: {reason}; refused: {host.status()['refused']}")


def test_with_the_right_keys_states_come_through(keys: tuple[Path, Path]) -> None:
    with StateMonitor("host", host="127.0.0.1", port=0, keys=keys[0]) as host:
        still_works(host, keys[1])


def test_a_client_with_another_key_or_none_is_refused(
    keys: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stranger knows the host's public key, and is refused all the same."""
    stranger = make_keys(tmp_path / "stranger")
    text = stranger[1].read_text().replace(client_keys(stranger[1]).host_public, client_keys(keys[1]).host_public)
    stranger[1].write_text(text)
    with StateMonitor("host", port=0, keys=keys[0]) as host:
        for key, reason in ((stranger[1], "its key is not known here"), (None, "without keys where keys are needed")):
            client = StateMonitor("client", port=host.port, keys=key).start()
            client.put({"n": 1})
            until_refused(host, reason)
            assert not client.end(timeout=0.1)
        still_works(host, keys[1])
        assert sum("its key is not known here" in record.getMessage() for record in caplog.records) == 1


def test_a_client_of_a_host_with_another_key(keys: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_keys(tmp_path / "other")
    with StateMonitor("host", port=0, keys=other[0]) as host:
        client = StateMonitor("client", port=host.port, keys=keys[1]).start()
        client.put({"n": 1})
        assert not client.flush(timeout=1)
        with pytest.raises(TimeoutError):
            host.get(timeout=0.1)
        client.end(timeout=0.1)


@contextlib.contextmanager
def raw(host: StateMonitor) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as connection:
        connection.linger = 0
        connection.connect(f"tcp://127.0.0.1:{host.port}")
        yield connection


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"FLX\x02H", b"\x80"], "a message of version 2; this is version 1"),
        ([b"hello", b"world"], "none of ours"),
        ([b"FLX\x01H"], "a message of 1 frames"),
        ([b"FLX\x01H", b"\xc1"], "whose head cannot be read"),
        ([b"FLX\x01H", b"\x91" * 5000], "whose head cannot be read"),
        (message(protocol.HELLO, Head(client="")), "without the client's id"),
        ([b"FLX\x01H", msgspec.msgpack.encode({"client": "x" * 1000})], "a name of more than 200 characters"),
    ],
)
def test_what_is_no_message_of_ours_is_answered_and_counted(
    host: StateMonitor, frames: list[bytes], reason: str
) -> None:
    with raw(host) as connection:
        connection.send_multipart(frames)
        assert connection.poll(20_000)
        answer = protocol.parse(connection.recv_multipart())
        assert answer.kind == protocol.REFUSED
        assert reason in answer.head.why
    until_refused(host, reason)
    still_works(host)


def test_a_damaged_state_is_counted_and_passed_over(host: StateMonitor) -> None:
    with raw(host) as connection:
        for said in (
            message(protocol.HELLO, Head(client="c", next=0)),
            message(protocol.DATA, Head(client="c", seq=0), [b"\xc1"]),
            message(protocol.DATA, Head(client="c", seq=1), [b"\x07"]),
        ):
            connection.send_multipart(said)
        assert host.get(timeout=20) == 7
    until_refused(host, "a state that cannot be read")


def test_states_before_a_greeting_or_out_of_order_are_not_taken(host: StateMonitor) -> None:
    with raw(host) as connection:
        connection.send_multipart(message(protocol.DATA, Head(client="c", seq=0), [b"\x01"]))
        assert connection.poll(20_000)
        assert protocol.parse(connection.recv_multipart()).head.next == -1
        connection.send_multipart(message(protocol.HELLO, Head(client="c", next=5)))
        assert connection.poll(20_000)
        assert protocol.parse(connection.recv_multipart()).head.next == 5
        for seq, body in ((7, b"\x07"), (4, b"\x04"), (5, b"\x05"), (5, b"\x05"), (6, b"\x06")):
            connection.send_multipart(message(protocol.DATA, Head(client="c", seq=seq), [body]))
        assert [host.get(timeout=20), host.get(timeout=20)] == [5, 6]
    with pytest.raises(TimeoutError):
        host.get(timeout=0.2)


READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
STRANGE = "another protocol"
CUT = "before it said anything whole: half a message, or one of over 1024 MB"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", STRANGE),
        (DEALER_GREETING + b"\x04\x29\x05READY" + b"\x00" * 30, STRANGE),
        (DEALER_GREETING + READY + b"\x02" + struct.pack(">Q", 2**32), CUT),
        (DEALER_GREETING + READY + b"\x01\x06FLX\x01", CUT),
        (DEALER_GREETING + READY, CUT),
        (b"\x00" * 1000, CUT),
    ],
    ids=["http", "half a handshake", "a frame of 4 GB", "half a frame", "not a word", "zeros"],
)
def test_other_protocols_and_lying_lengths_are_one_line_and_disturb_nobody(
    host: StateMonitor, sent: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while connection.recv(4096):
                    pass
    until_refused(host, reason)
    still_works(host)
    assert [reason in record.getMessage() for record in caplog.records] == [True]


def test_key_files(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    assert [path.name for path in keys] == ["lab.host.key", "lab.client.key"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys)
    assert host_keys(keys[0]).client_public == client_keys(keys[1]).public
    assert host_keys(keys[0]).secret not in keys[1].read_text()
    assert "secret" not in repr(host_keys(keys[0])) + repr(client_keys(keys[1]))
    with pytest.raises(ValueRefusedError, match="is there already"):
        make_keys(tmp_path / "lab")
    with pytest.raises(ValueRefusedError, match=r"a host needs the one named \*\.host\.key"):
        host_keys(keys[1])
    with pytest.raises(ValueRefusedError, match=r"a client needs the one named \*\.client\.key"):
        client_keys(keys[0])
    with pytest.raises(ValueRefusedError, match="cannot be read"):
        host_keys(tmp_path / "absent")
    (tmp_path / "odd").write_text("{}")
    with pytest.raises(ValueRefusedError, match="is not a key file; make a pair with: flexlogger keys NAME"):
        host_keys(tmp_path / "odd")
