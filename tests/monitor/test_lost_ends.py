"""A StateMonitor whose other end dies, hangs or comes back: what was put arrives, once and in order."""

from __future__ import annotations

import contextlib
import errno
import itertools
import signal
from pathlib import Path

import numpy as np
import pytest

from flexlogger import faults
from flexlogger.monitor.state_monitor import StateMonitor
from flexlogger.net.link import Link
from tests.monitor.watching import KEEPER, lines_of, process, wait_for
from tests.net.road import Road
from tests.ports import free_port


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
