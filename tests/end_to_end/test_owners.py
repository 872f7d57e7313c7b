"""Several processes and one run: who draws it, while they live and when one of them is killed. Real processes, a real
server, and what its windows hold, wherever they are drawn."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flexlogger import FlexLogger
from flexlogger.runs.card import read_card
from flexlogger.runs.find import find_run
from tests.end_to_end.scripts import start
from tests.end_to_end.windows import points
from tests.pipe.places import Place

HEAD = """
import sys, time
from flexlogger import FlexLogger, ownership
ownership.LOOK_S = 0.05
def logger(*names, **options):
    meters = {name: {"type": "LastValueMeter", "target": "loss"} for name in names}
    return FlexLogger({"loss": {}}, meters, **{"run": ENV, "env": ENV, "dir": FOLDER, **SETTINGS, **options})
def told(word="ready"):
    print(word, flush=True)
def wait():
    sys.stdin.readline()
def until(owner):
    while stat.session.owner != owner:
        time.sleep(0.01)
"""


def given(place: Place, env: str) -> str:
    return f"SETTINGS = {place.settings!r}\nENV = {env!r}\n"


class Process:
    """A script that says when it is ready and goes on when it is told to."""

    def __init__(self, body: str, folder: Path, place: Place, env: str) -> None:
        self.process = start(given(place, env) + HEAD + body, folder, stdin=subprocess.PIPE)

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
def begin(tmp_path: Path, place: Place, env: str) -> Iterator[Begin]:
    begun: list[Process] = []

    def make(body: str) -> Process:
        begun.append(Process(body, tmp_path, place, env))
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


def test_a_killed_run_that_is_resumed_shows_both_halves(begin: Begin, place: Place, env: str, tmp_path: Path) -> None:
    first = begin("stat = logger('a')" + LOG.format(0, 50, "a") + "assert stat.flush()\ntold(); wait()")
    first.hear()
    first.kill()
    assert points(place.server.url, env, "loss") == {"a": series(0, 50)}
    second = begin("stat = logger('a')" + LOG.format(50, 100, "a") + "assert stat.flush()\ntold(); wait()")
    second.hear()
    # What the killed one left behind may be drawing its last moment, and owns the windows until it has.
    eventually(lambda: points(place.server.url, env, "loss"), {"a": series(0, 100)})
    second.go_on()
    assert "flexlogger" not in second.end()
    card = read_card(tmp_path / "default" / env)
    assert card is not None
    assert (card.status, card.resumed, card.last_step, card.summary["a"]) == ("finished", 1, 99, 99.0)


def test_the_owner_draws_what_a_second_process_logs_which_takes_over_when_it_is_killed(
    begin: Begin, place: Place, env: str, tmp_path: Path
) -> None:
    owner = begin("stat = logger('a')" + LOG.format(0, 5, "a") + "assert stat.flush()\ntold(); wait()")
    owner.hear()
    heir = begin(
        "stat = logger('b')"
        + LOG.format(0, 5, "b")
        + "assert stat.flush()\nassert not stat.session.owner\ntold(); until(owner=True)"
        + LOG.format(5, 9, "b")
        + "assert stat.flush()\ntold(); wait()"
    )
    heir.hear()
    eventually(lambda: points(place.server.url, env, "loss"), {"a": series(0, 5), "b": series(0, 5)})
    owner.kill()
    heir.hear()
    assert points(place.server.url, env, "loss") == {"a": series(0, 5), "b": series(0, 9)}
    heir.go_on()
    assert "this process draws it now" in heir.end()
    eventually(lambda: find_run(place.folder(tmp_path / "default" / env), Path()).status, "finished")


def test_who_ends_last_draws_what_the_owner_no_longer_could(begin: Begin, place: Place, env: str) -> None:
    owner = begin("stat = logger('a')" + LOG.format(0, 5, "a") + "told(); wait()")
    owner.hear()
    heir = begin("ownership.LOOK_S = 3600\nstat = logger('b')\ntold(); wait()" + LOG.format(0, 7, "b"))
    heir.hear()
    owner.go_on()
    owner.end()
    heir.go_on()
    assert "this process draws it now" in heir.end()
    assert points(place.server.url, env, "loss") == {"a": series(0, 5), "b": series(0, 7)}


def test_another_live_run_in_the_same_windows_gets_windows_of_its_own(
    begin: Begin,
    place: Place,
    env: str,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    owner = begin("stat = logger('a')" + LOG.format(0, 5, "a") + "stat.flush()\ntold(); wait()")
    owner.hear()
    values = count(-1.0, -1.0)

    def log(run: str, uid: str) -> None:
        """A run of this process is drawn as `uid`; it knows that itself where no monitor chooses."""
        meters = {"a": {"type": "LastValueMeter", "target": "loss"}}
        with FlexLogger({"loss": {}}, meters, run=f"{run}-{env}", env=env, dir=tmp_path, **place.settings) as stat:
            stat.add(a=(value := next(values)))
            stat.log(0)
            assert stat.flush()
            assert stat.uid == (env if place.word == "tcp" else uid)
        assert points(place.server.url, env, "loss", uid) == {"a": [(0, value)]}

    log("other", f"{env}-2")
    told = [record.getMessage() for record in caplog.records if f"'{env}-2'" in record.getMessage()]
    assert len(told) == (0 if place.word == "tcp" else 1)  # there the monitor says so
    caplog.clear()
    log("other", f"{env}-2")
    assert points(place.server.url, env, "loss") == {"a": series(0, 5)}
    owner.go_on()
    owner.end()
    log("other", f"{env}-2")  # a run that is taken up again keeps its windows
    assert points(place.server.url, env, "loss") == {"a": series(0, 5)}
    log("third", env)
    assert not caplog.records


@pytest.mark.chaos  # it takes as long as a heart may miss its beats
def test_an_owner_that_slept_too_long_is_succeeded_and_waits_like_the_others(
    begin: Begin, place: Place, env: str
) -> None:
    quick = (
        "from flexlogger.runs import claims\nclaims.STALE_S = 4.0\n"  # a live heart beats every two seconds or three
    )
    owner = begin(
        quick
        + "stat = logger('a')"
        + LOG.format(0, 5, "a")
        + "assert stat.flush()\ntold(); wait()"
        + LOG.format(5, 9, "a")
        + "assert stat.flush()\nuntil(owner=False)\ntold(); wait()"
    )
    owner.hear()
    heir = begin(quick + "stat = logger('b')" + LOG.format(0, 5, "b") + "told(); until(owner=True)\ntold(); wait()")
    heir.hear()
    owner.process.send_signal(signal.SIGSTOP)
    heir.hear()
    eventually(lambda: points(place.server.url, env, "loss"), {"a": series(0, 5), "b": series(0, 5)})
    owner.process.send_signal(signal.SIGCONT)
    owner.go_on()
    owner.hear()
    eventually(lambda: points(place.server.url, env, "loss"), {"a": series(0, 9), "b": series(0, 5)})
    heir.go_on()
    assert "this process draws it now" in heir.end()
    owner.go_on()
    assert f"another one draws run {env} now" in owner.end()
