"""StateMonitor far away: over a road that is slow, loses packets and is cut. Nothing is lost, twice or out of order."""

from __future__ import annotations

import itertools
import threading
from functools import partial

import numpy as np
import pytest

from flexlogger.monitor.state_monitor import StateMonitor
from tests.monitor.watching import wait_for
from tests.net.road import Road


def over_a_bad_road(count: int, cuts: int, delay: float, loss: float) -> None:
    """Send `count` states, every tenth with an array, while the road is cut `cuts` times; all must arrive in order.

    Each cut waits for the client to be back from the one before: where states come in bursts, several are due at once.
    """
    with (
        StateMonitor("host", port=0) as host,
        Road(host.port, delay=delay, loss=loss, seed=1) as road,
        StateMonitor("client", port=road.port) as client,
    ):
        sending = client._client
        assert sending is not None
        seen: list[int] = []

        def is_back(cut: int) -> bool:
            return sending.connections > cut

        def read() -> None:
            cut = 0
            for state in itertools.islice(host, count):
                assert "a" not in state or (state["a"] == state["n"]).all()
                seen.append(state["n"])
                if cut < cuts and len(seen) >= count * (cut + 1) // (cuts + 1):
                    wait_for(partial(is_back, cut), "the client is back")
                    road.cut()
                    cut += 1

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(count):
            more = {"a": np.full(5000, number, np.int32)} if number % 10 == 0 else {}
            client.put({"n": number, **more})
        reader.join(60 + 10 * cuts)
        assert seen == list(range(count))
        assert client.end(timeout=30)
        assert client.status()["dropped"] == {}
        assert client.status()["acknowledged"] >= count - 1  # the reader asked for no more after the last
    assert road.connections > cuts
    assert road.lost > 0


def test_a_far_and_lossy_road_that_is_cut() -> None:
    over_a_bad_road(2000, cuts=3, delay=0.02, loss=0.03)


@pytest.mark.chaos
@pytest.mark.parametrize(("delay", "loss"), [(0.15, 0.02), (0.01, 0.2)], ids=["far", "lossy"])
def test_a_very_bad_road_that_is_cut_again_and_again(delay: float, loss: float) -> None:
    over_a_bad_road(5000, cuts=10, delay=delay, loss=loss)


def test_a_road_that_vanishes_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that it is gone; the client finds out because the host falls silent."""
    monkeypatch.setattr("flexlogger.net.link.SILENCE_S", 1.0)
    monkeypatch.setattr("flexlogger.monitor.host.BEAT_S", 0.2)
    with (
        StateMonitor("host", port=0) as host,
        Road(host.port) as road,
        StateMonitor("client", port=road.port) as client,
    ):
        client.put({"n": 0})
        assert host.get(timeout=20) == {"n": 0}
        road.vanish()
        for number in range(1, 1001):
            assert client.put({"n": number})
        assert not client.flush(timeout=1.5)
        assert client.status()["queued"] >= 1000
        road.back()
        assert [host.get(timeout=30)["n"] for _ in range(1000)] == list(range(1, 1001))
        assert client.end(timeout=20)
