"""StateMonitor where processes fork and end."""

from __future__ import annotations

import contextlib
import os

from flexlogger.monitor.state_monitor import StateMonitor
from tests.monitor.watching import process


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
