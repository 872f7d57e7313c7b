"""An hour without a host, in a few seconds: the clocks of both ends run ahead, the network is really gone and back."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import Any

import pytest

from flexlogger.monitor import state_monitor
from flexlogger.monitor.client import Client
from flexlogger.monitor.host import Host
from flexlogger.monitor.outbox import LIGHT
from flexlogger.monitor.state_monitor import StateMonitor
from flexlogger.net.sockets import SILENCE_S
from tests.monitor.watching import wait_for
from tests.net.road import Road
from tests.ports import free_port

MINUTE = 60.0
STATES = 100
"""Put in every minute of the hour."""


class Clock:
    """Passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every client and host that is made from now on."""
    clock = Clock()
    monkeypatch.setattr(state_monitor, "Client", partial(Client, clock=clock))
    monkeypatch.setattr(state_monitor, "Host", partial(Host, clock=clock))
    return clock


def got(host: StateMonitor, count: int) -> list[int]:
    return [host.get(timeout=30)["n"] for _ in range(count)]


def train(client: StateMonitor, first: int, last: int) -> None:
    for number in range(first, last):
        client.put({"n": number})


def train_for_an_hour(client: StateMonitor, clock: Clock, first: int) -> None:
    for minute in range(60):
        clock.now += MINUTE
        wait_for(lambda: not client.status()["connected"], "the break")
        train(client, first + STATES * minute, first + STATES * (minute + 1))


class Killed:
    """A host that is gone, and started again."""

    def __init__(self) -> None:
        self.host = StateMonitor("host", port=0).start()
        self.port = self.host.port

    def begin(self) -> None:
        self.host.end()

    def over(self) -> None:
        self.host = StateMonitor("host", port=self.port).start()

    def close(self) -> None:
        self.host.end()


class Vanished(Killed):
    """Nothing gets through to the host any more, and neither side is told."""

    def __init__(self) -> None:
        super().__init__()
        self._road = Road(self.host.port)
        self.port = self._road.port

    def begin(self) -> None:
        self._road.vanish()

    def over(self) -> None:
        self._road.back()

    def close(self) -> None:
        self._road.__exit__()
        super().close()


@pytest.mark.parametrize(("kind", "received"), [(Killed, 60 * STATES), (Vanished, 61 * STATES)])
def test_an_outage_of_an_hour_is_one_line_and_loses_nothing(
    kind: type[Killed], received: int, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(kind()) as outage, StateMonitor("client", port=outage.port) as client:
        train(client, 0, STATES)
        assert got(outage.host, STATES) == list(range(STATES))
        assert client.flush(20)
        outage.begin()
        train_for_an_hour(client, clock, STATES)
        wait_for(lambda: "nobody answers" in caplog.text, "the warning")
        assert not client.status()["connected"]
        assert client.status()["queued"] - 60 * STATES in (0, 1)  # the end of the last one may have been on its way
        outage.over()
        assert got(outage.host, 60 * STATES) == list(range(STATES, 61 * STATES))
        assert client.end(timeout=20)
        assert list(outage.host) == []
        (peer,) = outage.host.status()["clients"].values()
        assert peer["received"] == received  # nothing came twice
        assert client.status()["dropped"] == {}
    assert [caplog.text.count(words) for words in ("nobody answers", "connected to")] == [1, 1]
    assert sum("a connection was refused" not in record.getMessage() for record in caplog.records) == 2


@pytest.mark.parametrize(
    ("policy", "kept", "reason"),
    [
        ("drop_oldest", range(60 * STATES - 1000, 60 * STATES), "queue full, oldest dropped"),
        ("drop_newest", range(1000), "queue full"),
        ("wait", range(1000), "queue full"),
    ],
)
def test_what_an_hour_without_a_host_drops_is_counted_and_told(
    policy: Any, kept: range, reason: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    options: Any = {"max_bytes": 1000 * LIGHT, "when_full": policy, "patience": 0.0}
    dropped = {reason: 60 * STATES - 1000}
    with StateMonitor("client", port=port, **options) as client:
        train_for_an_hour(client, clock, 0)
        assert client.status()["dropped"] == dropped
        with StateMonitor("host", port=port) as host:
            assert got(host, 1000) == list(kept)
            assert client.end(timeout=20)
            assert list(host) == []
    assert client.status()["dropped"] == dropped
    assert caplog.text.count(f"states dropped, by reason: {dropped}") == 1


def test_each_side_says_that_it_is_there(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put for twenty times as long as a dead host is waited for, and the connection holds."""
    monkeypatch.setattr("flexlogger.monitor.client.BEAT_S", 0.05)
    monkeypatch.setattr("flexlogger.monitor.host.BEAT_S", 0.05)
    heard, hear = threading.Event(), Client._hear

    def listen(self: Client, *arguments: Any) -> None:
        hear(self, *arguments)
        heard.set()

    monkeypatch.setattr(Client, "_hear", listen)
    with StateMonitor("host", port=0) as host, StateMonitor("client", port=host.port) as client:
        client.put({"n": 0})
        assert got(host, 1) == [0]
        (peer,) = host.status()["clients"]
        for _ in range(25):
            heard.clear()
            clock.now += 0.8 * SILENCE_S
            assert heard.wait(20)
            wait_for(lambda: host.status()["clients"][peer]["silent_s"] == 0.0, "the client's word")
        assert client._client is not None
        assert client._client.connections == 1


def test_a_client_that_falls_silent_is_told_of_once(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def told() -> bool:
        said.extend(capfd.readouterr().err.splitlines())
        return any("nothing heard" in line for line in said)

    with (
        StateMonitor("host", port=0, verbose=True) as host,
        Road(host.port) as road,
        StateMonitor("client", port=road.port, name="trainer") as client,
    ):
        client.put({"n": 0})
        assert got(host, 1) == [0]
        road.vanish()
        clock.now += 60 * MINUTE
        wait_for(told, "the silence")
        wait_for(lambda: not client.status()["connected"], "the client's own notice")
        road.back()
        client.put({"n": 1})
        assert got(host, 1) == [1]
        assert client.end(timeout=20)
    said.extend(capfd.readouterr().err.splitlines())
    assert [line.partition(": ")[2] for line in said if "trainer" in line] == [
        "client trainer connected",
        "nothing heard of client trainer for 10 s",
        "client trainer is back",
        "client trainer has ended after 2 states",
    ]
