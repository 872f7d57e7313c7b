"""What may be put into a StateMonitor, from which threads, and what becomes of what does not fit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import threading
import uuid
from typing import Any

import msgspec
import numpy as np
import pytest

from flexlogger.monitor.state_monitor import StateMonitor
from tests.monitor.watching import wait_for
from tests.ports import free_port


@pytest.mark.parametrize(
    ("policy", "left", "reason"),
    [("drop_oldest", range(70, 100), "queue full, oldest dropped"), ("drop_newest", range(30), "queue full")],
)
def test_what_a_full_queue_drops_is_counted(policy: Any, left: range, reason: str) -> None:
    port = free_port()
    client = StateMonitor("client", port=port, max_bytes=30 * 1300, when_full=policy).start()
    for number in range(100):
        client.put({"n": number, "padding": b"x" * 1080})
    assert client.status()["dropped"] == {reason: 70}
    with StateMonitor("host", port=port) as late:
        assert [late.get(timeout=20)["n"] for _ in left] == list(left)
        assert client.end(timeout=20)


def test_waiting_for_room_is_bounded_and_counted() -> None:
    client = StateMonitor("client", port=free_port(), max_bytes=1000, when_full="wait", patience=0.05).start()
    assert client.put({"a": b"x" * 700})
    assert not client.put({"a": b"x" * 700})
    assert not client.put({"a": b"x" * 5000})
    assert not client.end(timeout=0.1)
    assert client.status()["dropped"] == {
        "queue full": 1,
        "larger than the queue": 1,
        "not acknowledged before the end": 1,
    }
    assert not client.put({"a": 1})
    assert client.status()["dropped"]["after the end"] == 1


def test_large_arrays_arrive_whole_and_what_was_put_is_a_copy(host: StateMonitor) -> None:
    array = np.arange(4_000_000, dtype=np.float32)
    with StateMonitor("client", port=host.port) as client:
        for _ in range(3):
            client.put({"a": array})
            array += 1
        for scale in range(3):
            back = host.get(timeout=30)["a"]
            assert back[0] == scale
            assert back.shape == array.shape


def test_a_put_after_a_rest_arrives_at_once(host: StateMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that had nothing to do for a while sleeps; what is put then wakes it."""
    monkeypatch.setattr("flexlogger.monitor.client.REST_S", 0.05)
    monkeypatch.setattr("flexlogger.monitor.client.BEAT_S", 20.0)
    with StateMonitor("client", port=host.port) as client:
        client.put({"n": 0})
        assert host.get(timeout=20) == {"n": 0}
        for number in range(1, 4):
            wait_for(lambda: client._outbox.limit == 0, "the rest")
            client.put({"n": number})
            assert host.get(timeout=5) == {"n": number}


def test_every_kind_of_value_comes_through_put(host: StateMonitor) -> None:
    state = {
        "wide": 2**70,
        "when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "losses": [0.5, math.inf, 2**70],
        "mixed": [1, "a", None, b"z"],
        "f32": np.float32(0.5),
        3: True,
    }
    with StateMonitor("client", port=host.port) as client:
        for value in (state, {"wide": 2**64}, {"i": np.int64(3), "x": 1.0}, [1.0, 2.0], {"nested": {"a": [1]}}, 7):
            client.put(value)
            assert host.get(timeout=20) == value


def test_several_threads_put_into_one_client(host: StateMonitor) -> None:
    with StateMonitor("client", port=host.port) as client:

        def put(who: int) -> None:
            for number in range(500):
                client.put({"who": who, "n": number})
                client.put({"who": who, "array": np.full(500, number)})

        threads = [threading.Thread(target=put, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        seen: dict[int, list[int]] = {who: [] for who in range(4)}
        for state in (host.get(timeout=30) for _ in range(4000)):
            seen[state["who"]].append(state["n"] if "n" in state else int(state["array"][0]))
        for thread in threads:
            thread.join()
    assert seen == {who: [number for number in range(500) for _ in range(2)] for who in range(4)}


@dataclasses.dataclass
class Packable:
    """What msgspec would pack as a dict."""

    value: float


@dataclasses.dataclass
class Addable(Packable):
    """… and can be added to a number, as the numbers of a state can."""

    def __radd__(self, other: float) -> float:
        return other + self.value

    def values(self) -> list[float]:
        return [self.value]


class AddableStruct(msgspec.Struct):
    value: float

    def __radd__(self, other: float) -> float:
        return other + self.value


class AddableMember(enum.Enum):
    ONE = 1

    def __radd__(self, other: float) -> float:
        return other + 1.0


ODD = [
    decimal.Decimal(1),
    {1, 2},
    Packable(1.0),
    Addable(1.0),
    AddableStruct(1.0),
    AddableMember.ONE,
    uuid.UUID(int=1),
    dt.time(1),
    fractions.Fraction(1, 2),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{type(odd).__name__}")
def test_what_msgspec_could_pack_and_is_no_data_of_ours_is_refused(odd: Any) -> None:
    client = StateMonitor("client", port=free_port())
    with pytest.raises(TypeError, match=r"state\['n'\]: expected data"):
        client.put({"m": 1.0, "n": odd})
    with pytest.raises(TypeError, match="expected keys that are text or numbers"):
        client.put({"m": 1.0, (1, 2): 3.0})
    with pytest.raises(TypeError, match=r"state: expected data .*, got Addable"):
        client.put(Addable(1.0))


def test_a_state_that_is_not_data_names_its_place() -> None:
    client = StateMonitor("client", port=free_port())
    with pytest.raises(TypeError, match=r"state\['model'\]"):
        client.put({"model": json})
