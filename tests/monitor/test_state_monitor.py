"""StateMonitor between a training loop and whoever watches it: its calls, and what they refuse."""

from __future__ import annotations

import gc
import math
import queue
import sys
import threading
import weakref
from typing import Any

import pytest

from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.monitor.state_monitor import StateMonitor
from tests.monitor.watching import process, wait_for
from tests.ports import free_port


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


def test_a_host_with_a_callback_need_not_be_held_by_anybody() -> None:
    came: queue.Queue[Any] = queue.Queue()
    host = StateMonitor("host", port=0, on_state=came.put).start()
    port, found = host.port, weakref.ref(host)
    del host
    gc.collect()
    with StateMonitor("client", port=port) as client:
        client.put({"n": 1})
        assert came.get(timeout=20) == {"n": 1}
        assert client.end(timeout=20)
    host = found()
    assert host is not None
    host.end()
    del host
    gc.collect()
    assert found() is None


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
