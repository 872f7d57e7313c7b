"""Runs that still go on, or did until they were killed: followed and drawn as they are drawn live. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flexlogger.replay.draw import open_replay, replay
from flexlogger.runs.find import find_run
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.windows import points
from tests.processes import Process
from tests.replay.windows import windows

HEAD = """
import sys
from flexlogger import FlexLogger
def told(word="ready"):
    print(word, flush=True)
def wait():
    sys.stdin.readline()
METERS = {"a": {"type": "LastValueMeter", "target": "loss"}}
stat = FlexLogger({"loss": {}}, METERS, run=RUN, env=ENV, dir=FOLDER, **SETTINGS)
def log(first, last):
    for n in range(first, last):
        stat.add(a=float(n)); stat.log(n)
    assert stat.flush(); told()
"""

Begin = Callable[..., Process]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    begun: list[Process] = []

    def make(body: str, run: str = "r", env: str = "r", **settings: object) -> Process:
        told = f"RUN = {run!r}\nENV = {env!r}\nSETTINGS = {settings!r}\n"
        begun.append(start(told + HEAD + body, tmp_path, stdin=subprocess.PIPE))
        hear(begun[-1])
        return begun[-1]

    yield make
    for process in begun:
        process.kill()
        process.communicate()


def hear(process: Process) -> None:
    line = process.stdout.readline()
    assert line == "ready\n", line + process.stderr.read()


def go_on(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def series(last: int) -> list[tuple[float, float]]:
    return [(n, float(n)) for n in range(last)]


def test_a_run_that_was_killed_is_drawn_as_it_was(
    begin: Begin, tmp_path: Path, server: ServerProcess, fresh_server: ServerProcess
) -> None:
    process = begin("log(0, 50); wait()", env="killed", port=server.port)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    told = replay("r", dir=tmp_path, port=fresh_server.port)
    assert (told.status, told.records) == ("crashed", 50)
    assert windows(fresh_server, "killed") == windows(server, "killed") != {}


def test_a_run_that_goes_on_is_followed_to_its_end(
    begin: Begin, tmp_path: Path, server: ServerProcess, fresh_server: ServerProcess
) -> None:
    process = begin("log(0, 50); wait(); log(50, 100); wait(); stat.close()", env="followed", port=server.port)
    replaying = open_replay(
        "r", to="visdom", env=None, uid=None, server=None, port=fresh_server.port, token=None, dir=tmp_path
    )
    replaying.catch_up()
    assert points(fresh_server.url, "followed", "loss") == {"a": series(50)}
    follower = threading.Thread(target=replaying.follow, args=(threading.Event(),))
    follower.start()
    go_on(process)
    hear(process)
    go_on(process)
    follower.join(60)
    told = replaying.close()
    assert (told.status, told.records, told.complete) == ("finished", 100, True)
    assert windows(fresh_server, "followed") == windows(server, "followed")


def test_a_run_that_is_killed_while_it_is_followed_ends_the_following(
    begin: Begin, tmp_path: Path, fresh_server: ServerProcess
) -> None:
    process = begin("log(0, 50); wait()", sinks=[])
    follower = threading.Thread(
        target=replay, args=("r",), kwargs={"dir": tmp_path, "port": fresh_server.port, "follow": True}
    )
    follower.start()
    process.kill()
    follower.join(60)
    assert not follower.is_alive()
    assert points(fresh_server.url, "r", "loss") == {"a": series(50)}


def test_a_run_that_is_taken_up_while_it_is_followed_is_drawn_anew(
    begin: Begin, tmp_path: Path, fresh_server: ServerProcess
) -> None:
    first = begin("log(0, 50); wait()", sinks=[])
    replaying = open_replay(
        "r", to="visdom", env=None, uid=None, server=None, port=fresh_server.port, token=None, dir=tmp_path
    )
    replaying.catch_up()
    first.kill()
    first.wait(60)
    second = begin("log(20, 30); wait()", sinks=[], resume_step=20)
    stop = threading.Event()
    stop.set()
    replaying.follow(stop)
    assert points(fresh_server.url, "r", "loss") == {"a": series(30)}
    assert second.poll() is None


def test_windows_that_a_live_run_draws_are_left_to_it(
    begin: Begin, tmp_path: Path, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    done = begin("log(0, 10); wait(); stat.close()", run="done", env="shared", port=server.port)
    go_on(done)
    assert done.wait(60) == 0
    begin("log(0, 20); wait()", run="live", env="shared", port=server.port)
    before = windows(server, "shared")
    for run, records in (("live", 20), ("done", 10)):
        told = replay(run, dir=tmp_path, port=server.port)
        assert (told.env, told.uid, told.records) == ("shared-replay", "shared-replay", records)
        assert "run live is drawing these windows now" in caplog.text
        caplog.clear()
    assert points(server.url, "shared-replay", "loss") == {"a": series(10)}
    assert windows(server, "shared") == before
    assert replay("done", dir=tmp_path, port=server.port, env="asked").env == "asked"


def test_the_command_follows_until_ctrl_c_and_says_what_it_drew(
    begin: Begin, tmp_path: Path, fresh_server: ServerProcess
) -> None:
    begin("log(0, 50); wait()", sinks=[])
    command = ["replay", "r", "--dir", str(tmp_path), "--follow", "--port", str(fresh_server.port)]
    following = subprocess.Popen(
        [sys.executable, "-m", "flexlogger", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while points(fresh_server.url, "r", "loss") != {"a": series(50)}:
        assert following.poll() is None
    os.kill(following.pid, signal.SIGINT)
    out, errors = following.communicate(timeout=60)
    assert (following.returncode, errors) == (0, "")
    url = f"http://localhost:{fresh_server.port}/env/r"
    assert out == f"default/r (running): 50 records of 1 segment; {url}\n"
    assert find_run("r", tmp_path).status == "running"


def test_a_dashboard_that_goes_away_is_told(begin: Begin, tmp_path: Path, fresh_server: ServerProcess) -> None:
    process = begin("log(0, 50); wait(); log(50, 60); wait()", sinks=[])
    replaying = open_replay(
        "r", to="visdom", env=None, uid=None, server=None, port=fresh_server.port, token=None, dir=tmp_path
    )
    replaying.catch_up()
    fresh_server.stop()
    go_on(process)
    hear(process)
    stop = threading.Event()
    stop.set()
    replaying.follow(stop)
    assert not replaying.close().complete
