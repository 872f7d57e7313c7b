"""StateMonitor far away: over a road that is slow, loses packets and is cut. Nothing is lost, twice or out of order."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from flexlogger.monitor.state_monitor import StateMonitor
from tests.net.road import Road


def over_a_bad_road(count: int, cuts: int, delay: float, loss: float) -> Road:
    """Send `count` states, every tenth with an array, while the road is cut `cuts` times; all must arrive in order."""
    with StateMonitor("host", port=0) as host, Road(host.port, delay=delay, loss=loss, seed=1) as road:
        seen: list[int] = []
        due = [count * (cut + 1) // (cuts + 1) for cut in range(cuts)]

        def read() -> None:
            for state in itertools.islice(host, count):
                assert "a" not in state or (state["a"] == state["n"]).all()
                seen.append(state["n"])
                if due and len(seen) >= due[0]:
                    due.pop(0)
                    road.cut()

        reader = threading.Thread(target=read)
        reader.start()
        with StateMonitor("client", port=road.port) as client:
            for number in range(count):
                more = {"a": np.full(5000, number, np.int32)} if number % 10 == 0 else {}
                client.put({"n": number, **more})
            reader.join(60 + 5 * cuts)
            assert client.end(timeout=30)
        assert client.status()["dropped"] == {}
        assert client.status()["acknowledged"] >= count - 1  # the reader asked for no more after the last
    assert seen == list(range(count))
    return road


def test_a_far_and_lossy_road_that_is_cut() -> None:
    road = over_a_bad_road(2000, cuts=3, delay=0.02, loss=0.03)
    assert road.connections >= 2  # cuts of a road that is cut already change nothing
    assert road.lost > 0


@pytest.mark.chaos
@pytest.mark.parametrize(("delay", "loss"), [(0.15, 0.02), (0.01, 0.2)], ids=["far", "lossy"])
def test_a_very_bad_road_that_is_cut_again_and_again(delay: float, loss: float) -> None:
    road = over_a_bad_road(5000, cuts=10, delay=delay, loss=loss)
    assert road.connections >= 5


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
