"""StateMonitor on two machines, as far as one can have two: network namespaces, a wire between them, keys."""

from __future__ import annotations

import itertools
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexlogger.net.keys import make_keys
from tests.net.namespaces import FAR, Wire, wire

HOST = textwrap.dedent("""
    import sys
    from flexlogger.monitor.state_monitor import StateMonitor
    for state in StateMonitor("host", host=sys.argv[1], port=10086, keys=sys.argv[2]).start():
        print(state["n"], flush=True)
""")
CLIENT = textwrap.dedent("""
    import sys, time
    from flexlogger.monitor.state_monitor import StateMonitor
    with StateMonitor("client", host=sys.argv[1], port=10086, keys=sys.argv[2]) as client:
        for n in range(int(sys.argv[3])):
            client.put({"n": n, "padding": b"x" * 2000})
            time.sleep(0.001)
        sys.exit(not client.end(timeout=100))
""")


@pytest.fixture
def two_machines() -> Iterator[Wire]:
    with wire() as made:
        if made is None:
            pytest.skip("needs root, ip and tc, and a kernel that makes network namespaces")
        yield made


def send_over(wire: Wire, folder: Path, count: int, cuts: int, away_s: float) -> None:
    """Send `count` states, and cut the wire `cuts` times for `away_s` seconds; all must arrive, once, in order."""
    host_key, client_key = make_keys(folder / "lab")
    with wire.python("b", HOST, FAR, host_key) as host, wire.python("a", CLIENT, FAR, client_key, count) as client:
        try:
            assert host.stdout is not None
            lines = []
            for _ in range(cuts):
                lines += list(itertools.islice(host.stdout, count // (cuts + 1)))
                wire.cut()
                time.sleep(away_s)
                wire.back()
            _, complained = client.communicate(timeout=120)
            assert client.returncode == 0, complained
            lines += host.stdout
            assert host.wait(60) == 0
        finally:
            host.kill()
            client.kill()
    assert [int(line) for line in lines] == list(range(count))


def test_states_cross_a_wire_that_is_cut(two_machines: Wire, tmp_path: Path) -> None:
    two_machines.hamper("delay", "20ms", "5ms", "loss", "1%")
    send_over(two_machines, tmp_path, count=1000, cuts=1, away_s=0.5)


@pytest.mark.chaos
@pytest.mark.parametrize("how", [("delay", "150ms", "30ms"), ("loss", "10%")], ids=["far", "lossy"])
def test_states_cross_a_very_bad_wire(two_machines: Wire, tmp_path: Path, how: tuple[str, ...]) -> None:
    if not two_machines.hamper(*how):
        pytest.skip("this kernel has no netem")
    send_over(two_machines, tmp_path, count=5000, cuts=5, away_s=1.0)


@pytest.mark.chaos
def test_states_cross_a_wire_that_is_away_longer_than_silence_is_borne(two_machines: Wire, tmp_path: Path) -> None:
    send_over(two_machines, tmp_path, count=2000, cuts=2, away_s=12.0)
