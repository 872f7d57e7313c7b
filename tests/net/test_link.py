"""Connections between two threads: what is said gets through or is refused, and every break shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq

from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.net import link as links
from flexlogger.net.addresses import address
from flexlogger.net.bell import Bell
from flexlogger.net.keys import client_keys, host_keys, make_keys
from flexlogger.net.link import Link
from flexlogger.net.listener import Listener
from flexlogger.net.sockets import told
from tests.ports import free_port


@contextmanager
def listening(port: int = 0, keys: Path | None = None) -> Iterator[Listener]:
    with closing(Bell()) as bell:
        listener = Listener(f"tcp://127.0.0.1:{port}", host_keys(keys) if keys else None, bell)
        try:
            yield listener
        finally:
            listener.close()


@contextmanager
def linked(where: str, keys: Path | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[Link]:
    with closing(Bell()) as bell, closing(Link(where, client_keys(keys) if keys else None, bell, clock=clock)) as link:
        yield link


def until(link: Link, told: Callable[[], object], listener: Listener | None = None) -> None:
    for _ in range(2000):
        if told():
            return
        link.wait(0.01)
        if listener is not None:
            listener.wait(0.0)
    raise AssertionError("not within 20 s")


def heard(listener: Listener) -> tuple[bytes, list[bytes]]:
    for _ in range(2000):
        for route, frames in listener.receive():
            return route, [bytes(frame) for frame in frames]
        listener.wait(0.01)
    raise AssertionError("nothing came within 20 s")


def test_nothing_is_taken_without_a_connection_and_a_new_one_is_counted() -> None:
    port = free_port()
    with linked(f"tcp://127.0.0.1:{port}") as link:
        assert not link.send([b"too early"])
        for life in (1, 2):
            with listening(port) as listener:
                until(link, lambda: link.up)
                assert link.made == life
                assert link.send([b"life", b"%d" % life])
                assert heard(listener)[1] == [b"life", b"%d" % life]
            until(link, lambda: not link.up)
            assert not link.send([b"too late"])


def test_what_a_host_said_last_is_received_though_it_is_gone() -> None:
    for number in range(20):
        port = free_port()
        with linked(f"tcp://127.0.0.1:{port}") as link:
            with listening(port) as listener:
                until(link, lambda link=link: link.up)  # type: ignore[misc]
                link.send([b"hello"])
                route, _ = heard(listener)
                listener.send(route, [b"good-bye", b"%d" % number])
            time.sleep(0.01 * (number % 3))  # before, while and after the break is noticed
            answer = None
            for _ in range(1000):
                link.wait(0.005)
                if (answer := link.receive()) is not None:
                    break
            assert answer == [b"good-bye", b"%d" % number]


def test_a_host_that_falls_silent_is_connected_to_anew() -> None:
    now = [0.0]
    with listening() as listener, linked(listener.endpoint, clock=lambda: now[0]) as link:
        until(link, lambda: link.up)
        now[0] += links.SILENCE_S - 1
        link.wait(0.0)
        assert link.up
        now[0] += 2
        until(link, lambda: link.made == 2)


def test_a_bell_wakes_the_one_who_waits() -> None:
    with closing(Bell()) as bell, closing(Link("tcp://127.0.0.1:9", None, bell)) as link:
        rung = threading.Event()

        def ring() -> None:
            rung.set()
            bell.ring()

        ringer = threading.Timer(0.1, ring)
        ringer.start()
        while not rung.is_set():
            link.wait(20)
        ringer.join()


def test_why_a_connection_does_not_come_to_be(tmp_path: Path) -> None:
    mine, strange = make_keys(tmp_path / "mine"), make_keys(tmp_path / "strange")
    known = client_keys(mine[1]).host_public
    strange[1].write_text(strange[1].read_text().replace(client_keys(strange[1]).host_public, known))
    with listening(keys=mine[0]) as listener:
        with linked(listener.endpoint, mine[1]) as link:
            until(link, lambda: link.up, listener)
        with linked(listener.endpoint, strange[1]) as link:
            until(link, lambda: link.problem == "it does not know our key", listener)
            assert not link.up
        (why,) = listener.refused
        assert why.startswith("a connection from ")
        assert why.endswith("127.0.0.1 was refused: its key is not known here")
        with linked(listener.endpoint) as link:
            until(link, lambda: link.problem or len(listener.refused) == 2, listener)
            assert not link.up


def test_reasons_are_told_once_and_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with listening() as listener:
        for number in range(150):
            listener.refuse(f"reason {number}")
            listener.refuse(f"reason {number}")
        assert sum(listener.refused.values()) == 300
        assert len(listener.refused) == 101
        assert len(caplog.records) == 101


def test_an_address_that_is_taken() -> None:
    with listening() as listener, pytest.raises(ServerError, match="choose another port"), closing(Bell()) as bell:
        Listener(listener.endpoint, None, bell)


@pytest.mark.parametrize("text", ["dash:5555", "tcp://dash", "tcp://:5", "tcp://a b:5", "tcp://x@y:5", "tcp://d:70000"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueRefusedError, match=r"expected an address such as tcp://dash\.example:5555, but got"):
        address(text)


def test_tries_to_connect_come_further_and_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """ZeroMQ says after each one how many milliseconds it waits before the next."""
    pauses: list[int] = []

    def hear(socket: zmq.Socket[bytes]) -> tuple[int, int]:
        event, value = told(socket)
        if event == zmq.EVENT_CONNECT_RETRIED:
            pauses.append(value)
        return event, value

    monkeypatch.setattr(links, "told", hear)
    with linked(f"tcp://127.0.0.1:{free_port()}") as link:
        until(link, lambda: len(pauses) >= 5)
    assert pauses == sorted(pauses)
    assert 100 <= pauses[0] < 300
    assert 1000 <= pauses[4] <= 2000


def test_a_host_that_had_keys_and_has_none_any_more_is_found(tmp_path: Path) -> None:
    """ZeroMQ itself does not come back after another protocol than its own."""
    now = [0.0]
    keys, port = make_keys(tmp_path / "lab"), free_port()
    with linked(f"tcp://127.0.0.1:{port}", clock=lambda: now[0]) as link:
        with listening(port, keys[0]) as listener:
            until(link, lambda: listener.refused, listener)
        with listening(port) as listener:

            def up() -> bool:
                now[0] += 0.1
                return link.up

            until(link, up, listener)
