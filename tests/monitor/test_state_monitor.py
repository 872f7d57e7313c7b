"""StateMonitor between real processes: order, once, across kills, outages and forks."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import errno
import fractions
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from flexlogger import faults
from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.monitor.state_monitor import StateMonitor
from flexlogger.net.link import Link
from tests.net.road import Road
from tests.ports import free_port


def process(script: str, *arguments: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def host() -> Iterator[StateMonitor]:
    with StateMonitor(mode="host", port=0) as monitor:
        yield monitor


def test_the_two_halves_of_a_training_script() -> None:
    """Losses and hidden features of a loop, unpacked in another process while it trains."""
    port = free_port()
    watching = process(
        """
        import sys
        from flexlogger import StateMonitor
        host_monitor = StateMonitor(mode='host', host='localhost', port=int(sys.argv[1]), verbose=True)
        host_monitor.start()
        for state in host_monitor:
            print(state['epoch'], len(state['losses']), state['output'].shape, state['hidden_features'].dtype)
        """,
        port,
    )
    training = process(
        """
        import sys
        import torch
        from torch import nn
        from flexlogger import StateMonitor
        client_monitor = StateMonitor(mode='client', host='localhost', port=int(sys.argv[1]), verbose=True)
        client_monitor.start()
        body, head = nn.Linear(4, 3), nn.Linear(3, 2)
        optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
        losses = []
        for e in range(5):
            hidden_features = body(torch.randn(8, 4)).relu()
            output = head(hidden_features)
            loss = nn.functional.cross_entropy(output, torch.randint(0, 2, (8,)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
            client_monitor.put({
                'epoch': e,
                'losses': losses,
                'output': output.cpu().detach().numpy(),
                'hidden_features': hidden_features,
            })
        assert client_monitor.end(timeout=20)
        """,
        port,
    )
    trained, watched = training.communicate(timeout=60), watching.communicate(timeout=60)
    assert (training.returncode, watching.returncode) == (0, 0), trained[1] + watched[1]
    assert watched[0].splitlines() == [f"{e} {e + 1} (8, 2) float32" for e in range(5)]
    assert "sending to localhost" in trained[1]
    assert "listening on localhost" in watched[1]


def test_a_client_may_start_first() -> None:
    port = free_port()
    with StateMonitor("client", port=port) as client:
        for number in range(10):
            assert client.put({"n": number})
        assert client.status()["queued"] == 10
        with StateMonitor("host", port=port) as late:
            assert [late.get(timeout=20)["n"] for _ in range(10)] == list(range(10))


def test_several_clients_each_in_order(host: StateMonitor) -> None:
    clients = [StateMonitor("client", port=host.port, name=f"trainer{index}").start() for index in range(3)]

    def send(index: int) -> None:
        for number in range(200):
            clients[index].put({"who": index, "n": number})
        clients[index].end(timeout=30)

    threads = [threading.Thread(target=send, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for state in (host.get(timeout=30) for _ in range(600)):
        seen[state["who"]].append(state["n"])
    for thread in threads:
        thread.join()
    assert seen == {index: list(range(200)) for index in range(3)}
    told = host.status()["clients"].values()
    assert sorted(one["name"] for one in told) == ["trainer0", "trainer1", "trainer2"]


KEEPER = """
    import sys
    from flexlogger.monitor.state_monitor import StateMonitor
    host = StateMonitor("host", port=int(sys.argv[1])).start()
    with open(sys.argv[2], "a", buffering=1) as file:
        for state in host:
            print(state["n"], file=file)
"""


def lines_of(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def wait_for(told: Callable[[], bool], what: str) -> None:
    waiting = threading.Event()
    for _ in range(3000):
        if told():
            return
        waiting.wait(0.01)
    raise AssertionError(f"not within 30 s: {what}")


@pytest.mark.chaos
def test_a_host_killed_twenty_times_loses_nothing(tmp_path: Path) -> None:
    """States come in order; a host that died may be followed by one that is given again what was being acknowledged."""
    port, kept = free_port(), tmp_path / "seen"
    put = itertools.count()
    with StateMonitor("client", port=port) as client:
        for life in range(20):
            for _ in range(100):
                client.put({"n": next(put)})
            keeper = process(KEEPER, port, kept)
            seen = len(lines_of(kept))
            wait_for(lambda seen=seen: len(lines_of(kept)) > seen + 20, f"states in life {life}")  # type: ignore[misc]
            keeper.send_signal(signal.SIGKILL)
            keeper.communicate()
        assert client._client is not None
        before = client._client.connections
        keeper = process(KEEPER, port, kept)
        wait_for(lambda: client._client.connections > before, "the last life")  # type: ignore[union-attr]
        assert client.end(timeout=60)
        keeper.communicate(timeout=30)
    numbers = lines_of(kept)
    assert sorted(set(numbers)) == list(range(2000))
    jumps = [after - before for before, after in itertools.pairwise(numbers) if after != before + 1]
    assert len(jumps) <= 20
    assert all(jump <= 0 for jump in jumps)
    assert client.status()["dropped"] == {}


def test_a_host_that_comes_back_goes_on(tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "seen"
    with StateMonitor("client", port=port) as client:
        for first in (0, 50):
            for number in range(first, first + 50):
                client.put({"n": number})
            keeper = process(KEEPER, port, kept)
            wait_for(lambda first=first: len(lines_of(kept)) >= first + 50, "fifty states")  # type: ignore[misc]
            if first == 0:
                keeper.send_signal(signal.SIGKILL)
                keeper.communicate()
        assert client.end(timeout=30)
        keeper.communicate(timeout=30)
    numbers = lines_of(kept)
    assert sorted(set(numbers)) == list(range(100))
    assert len(numbers) <= 101


def test_a_killed_client_loses_only_what_was_not_sent(host: StateMonitor) -> None:
    trainer = process(
        """
        import itertools, sys, time
        from flexlogger.monitor.state_monitor import StateMonitor
        client = StateMonitor("client", port=int(sys.argv[1])).start()
        for n in itertools.count():
            client.put({"n": n})
            time.sleep(0.0005)
        """,
        host.port,
    )
    numbers = [host.get(timeout=30)["n"] for _ in range(300)]
    trainer.send_signal(signal.SIGKILL)
    trainer.communicate()
    with contextlib.suppress(TimeoutError):
        while True:
            numbers.append(host.get(timeout=0.5)["n"])
    assert numbers == list(range(len(numbers)))


def test_a_crash_of_the_reader_hands_the_state_out_again(tmp_path: Path) -> None:
    """A host that dies while it works on a state is given that state again when it is back."""
    port = free_port()
    with StateMonitor("client", port=port) as client:
        client.put({"n": 1})
        client.put({"n": 2})
        script = """
            import os, sys
            from flexlogger.monitor.state_monitor import StateMonitor
            host = StateMonitor("host", port=int(sys.argv[1])).start()
            print(host.get()["n"], host.get()["n"], flush=True)
            os.kill(os.getpid(), 9)
        """
        assert process(script, port).communicate(timeout=30)[0] == "1 2\n"
        with StateMonitor("host", port=port) as again:
            seen = [again.get(timeout=20)["n"]]
            if seen == [1]:  # it died before it could say that it was done with the first
                seen.append(again.get(timeout=20)["n"])
            assert seen[-1] == 2


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


def test_a_callback_takes_the_states_and_one_that_raises_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []
    done = threading.Event()

    def on_state(state: Any) -> None:
        seen.append(state["n"])
        if state["n"] == 5:
            done.set()
        if state["n"] % 2:
            raise ZeroDivisionError("odd")

    with StateMonitor("host", port=0, on_state=on_state) as host, StateMonitor("client", port=host.port) as client:
        for number in range(6):
            client.put({"n": number})
        assert done.wait(20)
        assert client.end(timeout=20)
        assert host.status()["failed callbacks"] == 3
        with pytest.raises(ValueRefusedError, match="on_state takes the states"):
            host.get()
    assert seen == list(range(6))
    assert caplog.text.count("ZeroDivisionError: odd") == 1


def test_a_callback_that_asks_to_exit_has_failed_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    with (
        StateMonitor("host", port=0, on_state=lambda state: sys.exit(3)) as host,
        StateMonitor("client", port=host.port) as client,
    ):
        for number in range(3):
            client.put({"n": number})
        assert client.end(timeout=20)
        wait_for(lambda: host.status()["failed callbacks"] == 3, "the last state")
    assert caplog.text.count("SystemExit: 3") == 1


def test_a_client_goes_on_after_an_error_of_its_own(host: StateMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more files can be opened for a while: neither sending nor connecting anew works."""
    monkeypatch.setattr("flexlogger.monitor.client.BEAT_S", 0.01)
    with StateMonitor("client", port=host.port) as client:
        client.put({"n": 0})
        assert host.get(timeout=20) == {"n": 0}
        with monkeypatch.context() as trouble:
            trouble.setattr(Link, "wait", _too_many_files)
            trouble.setattr("flexlogger.net.link.new_socket", _too_many_files)
            wait_for(lambda: len(faults.seen) >= 6, "the third time")
            client.put({"n": 1})
        assert host.get(timeout=20) == {"n": 1}
        assert client.end(timeout=20)
    faults.forget()


def _too_many_files(*_: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


def test_the_end_of_all_clients_ends_the_iteration(host: StateMonitor) -> None:
    for name in ("a", "b"):
        client = StateMonitor("client", port=host.port).start()
        client.put({"name": name})
        reader = threading.Thread(target=client.end)
        reader.start()
        assert host.get(timeout=20) == {"name": name}
        reader.join()
    assert list(host) == []
    host.end()
    with pytest.raises(EOFError, match="has ended"):
        host.get()


def test_a_forked_child_is_a_client_of_its_own(host: StateMonitor) -> None:
    with StateMonitor("client", port=host.port, name="parent") as client:
        client.put({"from": "parent"})
        pid = os.fork()
        if pid == 0:
            try:
                client.put({"from": "child"})
                os._exit(0 if client.end(timeout=20) else 1)
            finally:
                os._exit(2)
        seen = {host.get(timeout=20)["from"] for _ in range(2)}
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert seen == {"parent", "child"}
        assert {one["name"] for one in host.status()["clients"].values()} == {"parent", f"parent/{pid}"}


def test_a_child_of_multiprocessing_sends_what_it_put(host: StateMonitor) -> None:
    script = """
        import multiprocessing, sys
        from flexlogger.monitor.state_monitor import StateMonitor
        client = StateMonitor("client", port=int(sys.argv[1])).start()
        children = [multiprocessing.get_context("fork").Process(target=client.put, args=({"n": n},)) for n in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        sys.exit(any(child.exitcode for child in children))
    """
    trainer = process(script, host.port)
    assert sorted(host.get(timeout=30)["n"] for _ in range(3)) == [0, 1, 2]
    with contextlib.suppress(TimeoutError):
        host.get(timeout=0)  # done with the last
    assert trainer.communicate(timeout=60) == ("", "")
    assert trainer.returncode == 0


def test_a_host_stays_with_the_process_that_made_it(host: StateMonitor) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            host.get(timeout=1)
        except EOFError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with StateMonitor("client", port=host.port) as client:
        client.put({"n": 1})
        assert host.get(timeout=20) == {"n": 1}


def test_a_host_that_nobody_holds_any_more_frees_its_port() -> None:
    port = StateMonitor("host", port=0).start().port
    StateMonitor("host", port=port).start().end()


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


def test_verbose_tells_of_connections(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with StateMonitor("client", port=port, name="trainer", verbose=True) as client:
        for number in range(2):
            with StateMonitor("host", port=port, verbose=True) as host:
                client.put({"n": number})
                assert host.get(timeout=20) == {"n": number}
            wait_for(lambda: not client.status()["connected"], "the break")
    said = capfd.readouterr().err.splitlines()
    assert [line for line in said if "(client)" in line] == [
        f"flexlogger monitor (client): sending to localhost:{port}",
        f"flexlogger monitor (client): connected to tcp://127.0.0.1:{port}",
        f"flexlogger monitor (client): lost the connection to tcp://127.0.0.1:{port}; 0 states wait",
        f"flexlogger monitor (client): connected to tcp://127.0.0.1:{port}",
        f"flexlogger monitor (client): lost the connection to tcp://127.0.0.1:{port}; 0 states wait",
    ]
    assert [line for line in said if "(host)" in line] == 2 * [
        f"flexlogger monitor (host): listening on localhost:{port}",
        "flexlogger monitor (host): client trainer connected",
    ]


def test_a_link_that_is_slow_with_large_states_is_no_dead_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host says that it is there while a state takes longer to come than a dead host is waited for."""
    monkeypatch.setattr("flexlogger.net.link.SILENCE_S", 1.0)
    monkeypatch.setattr("flexlogger.monitor.host.BEAT_S", 0.2)
    with StateMonitor("host", port=0) as host, Road(host.port, bytes_a_second=2_000_000) as road:
        with StateMonitor("client", port=road.port) as client:
            client.put({"a": np.zeros(6_000_000, np.uint8)})
            assert host.get(timeout=30)["a"].nbytes == 6_000_000
            assert client.end(timeout=20)
        assert road.connections == 1


def test_interpreter_exit_sends_what_is_left(host: StateMonitor) -> None:
    script = """
        import sys
        from flexlogger.monitor.state_monitor import StateMonitor
        client = StateMonitor("client", port=int(sys.argv[1])).start()
        for n in range(500):
            client.put({"n": n})
    """
    trainer = process(script, host.port)
    assert [state["n"] for state in host] == list(range(500))
    assert trainer.communicate(timeout=30)[1] == ""


def test_a_monitor_needs_no_torch() -> None:
    script = "import sys; from flexlogger import StateMonitor; sys.exit('torch' in sys.modules)"
    ended = process(script)
    assert ended.communicate(timeout=60) == ("", "")
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "hots"}, "unknown mode 'hots'; did you mean 'host'"),
        ({"mode": "host", "host": "0.0.0.0"}, "needs keys; make them with: flexlogger keys"),
        ({"mode": "client", "host": "example.org"}, "needs keys"),
        ({"mode": "client", "port": 70000}, "port: expected an integer from 0 to 65535, got 70000"),
        ({"mode": "client", "host": "a b"}, "host: expected a host name"),
        ({"mode": "client", "when_full": "drop_old"}, "did you mean 'drop_oldest'"),
        ({"mode": "client", "on_state": print}, "give it to the host"),
        ({"mode": "host", "on_state": 3}, "on_state: expected a function, got int"),
        ({"mode": "client", "name": "x" * 300}, "name: expected text of at most 200 characters, got 'xxx"),
        ({"mode": "client", "name": 5}, "name: expected text"),
        ({"mode": "client", "max_bytes": 0}, "max_bytes: expected a positive integer, got 0"),
        ({"mode": "client", "max_bytes": "1"}, "max_bytes: expected a positive integer, got '1'"),
        ({"mode": "client", "patience": -1}, "patience: expected seconds from 0 on, got -1"),
        ({"mode": "client", "patience": math.nan}, "patience: expected seconds from 0 on, got nan"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueRefusedError, match=message):
        StateMonitor(**arguments)


def test_a_port_that_is_taken(host: StateMonitor) -> None:
    with pytest.raises(ServerError, match="choose another port"):
        StateMonitor("host", port=host.port).start()


def test_put_and_get_on_the_wrong_side(host: StateMonitor) -> None:
    with pytest.raises(ValueRefusedError, match="put is the client's"):
        host.put({})
    with pytest.raises(ValueRefusedError, match="get is the host's"):
        StateMonitor("client").get()


def test_a_state_that_is_not_data_names_its_place() -> None:
    client = StateMonitor("client", port=free_port())
    with pytest.raises(TypeError, match=r"state\['model'\]"):
        client.put({"model": json})
