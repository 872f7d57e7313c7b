"""Several processes and one run: who draws it, while they live and when one of them is killed. Real processes, a real
server, and what its windows hold."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flexlogger import FlexLogger
from flexlogger.runs.card import read_card
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import run, start
from tests.end_to_end.windows import points, traces

HEAD = """
import sys
from flexlogger import FlexLogger, ownership
ownership.LOOK_S = 0.05
def logger(*names, **options):
    meters = {name: {"type": "LastValueMeter", "target": "loss"} for name in names}
    return FlexLogger({"loss": {}}, meters, run="r", dir=FOLDER, **options)
def told(word="ready"):
    print(word, flush=True)
def wait():
    sys.stdin.readline()
"""


class Process:
    """A script that says when it is ready and goes on when it is told to."""

    def __init__(self, body: str, folder: Path, server: ServerProcess) -> None:
        self.process = start(f"PORT = {server.port}\n" + HEAD + body, folder, stdin=subprocess.PIPE)

    def hear(self, word: str = "ready") -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == f"{word}\n", line + (self.process.stderr.read() if self.process.stderr else "")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return errors

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)


Begin = Callable[[str], Process]


@pytest.fixture
def begin(tmp_path: Path, server: ServerProcess) -> Iterator[Begin]:
    begun: list[Process] = []

    def make(body: str) -> Process:
        begun.append(Process(body, tmp_path, server))
        return begun[-1]

    yield make
    for process in begun:
        process.process.kill()
        process.process.communicate()


def eventually(look: Callable[[], Any], expected: Any) -> None:
    """Wait until what a dashboard shows is `expected`: it gets there by itself, at its own pace."""
    end = time.monotonic() + 30
    while (seen := look()) != expected:
        assert time.monotonic() < end, seen
        time.sleep(0.05)


def series(first: int, last: int) -> list[tuple[float, float]]:
    return [(n, float(n)) for n in range(first, last)]


LOG = "\nfor n in range({}, {}):\n    stat.add({{{!r}: float(n)}}); stat.log(n)\n"


def test_a_killed_run_that_is_resumed_shows_both_halves(begin: Begin, server: ServerProcess, tmp_path: Path) -> None:
    first = begin(
        "stat = logger('a', env='halves', port=PORT)" + LOG.format(0, 50, "a") + "assert stat.flush()\ntold(); wait()"
    )
    first.hear()
    first.kill()
    assert points(server.url, "halves", "loss") == {"a": series(0, 50)}
    second = begin(
        "stat = logger('a', env='halves', port=PORT)" + LOG.format(50, 100, "a") + "assert stat.flush()\ntold(); wait()"
    )
    second.hear()
    assert points(server.url, "halves", "loss") == {"a": series(0, 100)}
    second.go_on()
    assert "flexlogger" not in second.end()
    card = read_card(tmp_path / "default" / "r")
    assert card is not None
    assert (card.status, card.resumed, card.last_step, card.summary["a"]) == ("finished", 1, 99, 99.0)


def test_the_owner_draws_what_a_second_process_logs_into_its_run(begin: Begin, server: ServerProcess) -> None:
    owner = begin("stat = logger('a', env='two', port=PORT)" + LOG.format(0, 5, "a") + "told(); wait()")
    owner.hear()
    other = begin("stat = logger('b', env='two', port=PORT)" + LOG.format(0, 7, "b") + "told(); wait()")
    other.hear()
    eventually(lambda: points(server.url, "two", "loss"), {"a": series(0, 5), "b": series(0, 7)})
    other.go_on()
    other.end()
    owner.go_on()
    owner.end()


def test_a_waiting_process_takes_over_from_an_owner_that_was_killed(begin: Begin, server: ServerProcess) -> None:
    owner = begin(
        "stat = logger('a', env='heir', port=PORT)" + LOG.format(0, 5, "a") + "assert stat.flush()\ntold(); wait()"
    )
    owner.hear()
    heir = begin(
        "stat = logger('b', env='heir', port=PORT)"
        + LOG.format(0, 5, "b")
        + "assert stat.flush()\nassert not stat.session.owner\ntold(); wait()"
        + LOG.format(5, 9, "b")
        + "assert stat.session.owner and stat.flush()\ntold(); wait()"
    )
    heir.hear()
    owner.kill()
    eventually(lambda: points(server.url, "heir", "loss"), {"a": series(0, 5), "b": series(0, 5)})
    heir.go_on()
    heir.hear()
    assert points(server.url, "heir", "loss") == {"a": series(0, 5), "b": series(0, 9)}
    heir.go_on()
    assert "this process draws it now" in heir.end()


def test_who_ends_last_draws_what_the_owner_no_longer_could(begin: Begin, server: ServerProcess) -> None:
    owner = begin("stat = logger('a', env='last', port=PORT)" + LOG.format(0, 5, "a") + "told(); wait()")
    owner.hear()
    heir = begin(
        "ownership.LOOK_S = 3600\nstat = logger('b', env='last', port=PORT)\ntold(); wait()" + LOG.format(0, 7, "b")
    )
    heir.hear()
    owner.go_on()
    owner.end()
    heir.go_on()
    assert "this process draws it now" in heir.end()
    assert points(server.url, "last", "loss") == {"a": series(0, 5), "b": series(0, 7)}


def test_another_live_run_in_the_same_windows_gets_windows_of_its_own(
    begin: Begin,
    server: ServerProcess,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    owner = begin(
        "stat = logger('a', env='shared', port=PORT)" + LOG.format(0, 5, "a") + "stat.flush()\ntold(); wait()"
    )
    owner.hear()
    meters = {"a": {"type": "LastValueMeter", "target": "loss"}}
    options: dict[str, Any] = {"env": "shared", "port": server.port, "dir": str(tmp_path)}
    with FlexLogger({"loss": {}}, meters, run="other", **options) as stat:
        stat.add(a=-1.0)
        stat.log(0)
        assert stat.flush()
        assert stat.uid == "shared-2"
        assert traces(stat, server.url, "loss") == {"a": [(0, -1.0)]}
    assert points(server.url, "shared", "loss") == {"a": series(0, 5)}
    assert len([r for r in caplog.records if "'shared-2'" in r.getMessage()]) == 1
    caplog.clear()
    with FlexLogger({"loss": {}}, meters, run="other", **options) as stat:
        assert stat.uid == "shared-2"
    owner.go_on()
    owner.end()
    with FlexLogger({"loss": {}}, meters, run="other", **options) as stat:
        assert stat.uid == "shared-2", "a run that is taken up again keeps its windows"
    with FlexLogger({"loss": {}}, meters, run="third", **options) as stat:
        assert stat.uid == "shared"
    assert not caplog.records


def test_what_forked_workers_log_is_drawn_while_they_run(begin: Begin, server: ServerProcess) -> None:
    main = begin("""
import os
stat = logger("a", "seen", env="forked", port=PORT)
stat.add(a=1.0); stat.log(0)
pid = os.fork()
if pid == 0:
    for n in range(10):
        stat.add(seen=float(n)); stat.log(n)
    stat.flush()
    told("worker"); wait()
    os._exit(0)
os.waitpid(pid, 0)
""")
    main.hear("worker")
    eventually(lambda: points(server.url, "forked", "loss").get("seen"), series(0, 10))
    main.go_on()
    main.end()


def test_a_resumed_run_hides_what_it_does_again_and_keeps_it_in_the_log(tmp_path: Path, server: ServerProcess) -> None:
    body = f"PORT = {server.port}\n" + HEAD
    run(body + "stat = logger('a', env='again', port=PORT)" + LOG.format(0, 20, "a"), tmp_path)
    segments, _ = run(
        body
        + "stat = logger('a', env='again', port=PORT, resume_step=10)"
        + "\nfor n in range(3):\n    stat.add(a=-1.0); stat.log()",
        tmp_path,
    )
    expected = [*series(0, 10), *((n, -1.0) for n in (10, 11, 12))]
    assert points(server.url, "again", "loss") == {"a": expected}
    assert [step for s in segments for step, _ in s.series("a")] == [*range(20), 10, 11, 12]
    card = read_card(tmp_path / "default" / "r")
    assert card is not None
    assert card.last_step == 12


@pytest.mark.chaos  # it takes as long as a heart may miss its beats
def test_an_owner_that_slept_too_long_is_succeeded_and_waits_like_the_others(
    begin: Begin, server: ServerProcess
) -> None:
    quick = (
        "from flexlogger.runs import claims\nclaims.STALE_S = 4.0\n"  # a live heart beats every two seconds or three
    )
    owner = begin(
        quick
        + "stat = logger('a', env='asleep', port=PORT)"
        + LOG.format(0, 5, "a")
        + "assert stat.flush()\ntold(); wait()"
        + LOG.format(5, 9, "a")
        + "assert stat.flush()\nimport time\nwhile stat.session.owner: time.sleep(0.01)\ntold(); wait()"
    )
    owner.hear()
    heir = begin(quick + "stat = logger('b', env='asleep', port=PORT)" + LOG.format(0, 5, "b") + "told(); wait()")
    heir.hear()
    owner.process.send_signal(signal.SIGSTOP)
    eventually(lambda: points(server.url, "asleep", "loss"), {"a": series(0, 5), "b": series(0, 5)})
    owner.process.send_signal(signal.SIGCONT)
    owner.go_on()
    owner.hear()
    eventually(lambda: points(server.url, "asleep", "loss"), {"a": series(0, 9), "b": series(0, 5)})
    heir.go_on()
    assert "this process draws it now" in heir.end()
    owner.go_on()
    assert "another one draws run r now" in owner.end()
