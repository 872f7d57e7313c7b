"""Dashboards drawn elsewhere: a monitor killed twenty times, a road to it that breaks as often, trainers that die."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flexlogger.net.sockets import SILENCE_S
from flexlogger.runs.find import find_run
from flexlogger.server.process import ServerProcess
from tests.chaos.checks import LONGEST_CALL_MS, calls, lines, on_disk, until_drawn, windows_equal
from tests.chaos.figures import Figures
from tests.chaos.training import Plan, Training
from tests.net.road import Road
from tests.pipe.places import Monitor
from tests.ports import free_port

pytestmark = pytest.mark.chaos

TIMES = 20
ALL = 10**6  # points a window may show: more than are logged


def plan(home: Path, env: str, pipe: str, **more: Any) -> Plan:
    settings = {"dir": str(home / "runs"), "run": env, "env": env, "pipe": pipe, "max_points": ALL}
    settings |= more.pop("settings", {})
    return Plan(home=home, settings=settings, rows=200_000, matrices=True, flush_s=60, **more)


def folder(home: Path, env: str) -> Path:
    return home / "runs" / "default" / env


def segments(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.glob("*.jsonl")}


class Host:
    """A monitor on one port, which is killed and started again."""

    def __init__(self, base: Path, server: ServerProcess) -> None:
        self._base = base
        self._options = ("--server", "127.0.0.1", "--port", server.port)
        self.monitor = Monitor(base, *self._options, listen=f"tcp://127.0.0.1:{free_port()}")
        self.where = self.monitor.where

    def killed(self, seconds: float) -> None:
        """Gone for a while; the next one knows nothing but what is on its disk."""
        self.monitor.kill()
        time.sleep(seconds)
        self.monitor = Monitor(self._base, *self._options, listen=self.where)

    def frozen(self, seconds: float) -> None:
        """Stopped: its kernel takes connections, and nobody answers; once for longer than a beat may be missing."""
        self.monitor.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds if seconds < 1 else SILENCE_S + seconds)
        self.monitor.process.send_signal(signal.SIGCONT)

    def run(self, env: str) -> Path:
        """A run of a trainer as it is here."""
        return self._base / "default" / env


@contextmanager
def hosting(base: Path, server: ServerProcess) -> Iterator[Host]:
    host = Host(base, server)
    try:
        yield host
    finally:
        host.monitor.kill()


def check(training: Training, report: dict[str, Any], host: Host, server: ServerProcess, env: str) -> dict[str, object]:
    """Training did not wait; nothing is missing, nothing is there twice, all in order, and outages were told."""
    took, view = calls(training.truth), report["end"]["views"]["tcp"]
    assert report["shown"] is True
    windows_equal(training.truth.points(), server.url, env, env)
    here = segments(folder(training.plan.home, env))
    assert segments(host.run(env)) == here
    assert on_disk(host.run(env)) == training.truth.points()
    assert (report["end"]["dropped"], view["behind"]) == ({}, 0)
    away = [said for _, said in report["said"] if "nobody takes run logs" in said]
    assert len([said for _, said in report["said"] if "connected to" in said]) == len(away) <= TIMES
    assert took["longest_own_ms"] <= LONGEST_CALL_MS
    return {**took, "points": training.truth.count, "lost": 0, "times": TIMES, "told": len(away)}


def happen(
    training: Training, server: ServerProcess, env: str, kinds: list[Callable[[float], None]], seed: int
) -> None:
    rng = random.Random(seed)
    training.wait_for(100)
    for n in range(TIMES):
        kinds[n % len(kinds)](rng.uniform(3.5, 4.5) if n % 7 == 3 else rng.uniform(0.0, 0.5))
        if n % 4 == 0:
            until_drawn(training.truth.count, server.url, env, env)
        else:
            time.sleep(rng.uniform(0.0, 0.5))


def test_a_monitor_that_is_killed_or_frozen_twenty_times(
    tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    home, env = tmp_path / "home", "monitor-killed"
    with hosting(tmp_path / "there", server) as host, Training(plan(home, env, host.where)) as training:
        happen(training, server, env, [host.killed, host.killed, host.frozen], seed=31)
        report = training.finish()
        figures(**check(training, report, host, server, env))


def test_a_road_to_the_monitor_that_breaks_twenty_times(
    tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    """Cut, and gone without a word, on a link with 50 ms of delay and 1 % of packets that are sent again."""
    home, env = tmp_path / "home", "road-breaks"
    with (
        hosting(tmp_path / "there", server) as host,
        Road(int(host.where.rpartition(":")[2]), delay=0.05, loss=0.01, seed=32) as road,
        Training(plan(home, env, f"tcp://127.0.0.1:{road.port}")) as training,
    ):

        def cut(seconds: float) -> None:
            road.cut()

        def gone(seconds: float) -> None:
            road.vanish()
            time.sleep(seconds)
            road.back()

        happen(training, server, env, [cut, gone], seed=32)
        report = training.finish()
        figures(**check(training, report, host, server, env), connections=road.connections, resent=road.lost)


@pytest.mark.parametrize("word", ["process", "tcp"])
def test_what_twenty_killed_trainers_had_on_disk_is_drawn(
    word: str, tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    """By the process that outlives them; and by the monitor, once `flexlogger runs push` has sent the rest."""
    rng = random.Random(33)
    delays = [rng.uniform(0.05, 2.0) for _ in range(TIMES)]
    with hosting(tmp_path / "there", server) as host:

        def kill(n: int) -> int:
            home, env = tmp_path / str(n), f"died-{word}-{n}"
            settings = {"port": server.port} if word == "process" else {}
            wanted = plan(home, env, host.where if word == "tcp" else word, settings=settings, seed=n)
            with Training(wanted) as training:
                training.wait_for(1)
                time.sleep(delays[n])
                training.kill()
            here = on_disk(folder(home, env))
            assert here[: training.truth.count] == training.truth.points()[: len(here)]
            if word == "tcp":
                push(folder(home, env), host.where)
                assert segments(host.run(env)) == segments(folder(home, env))
            if here:
                until_drawn(here[-1][0], server.url, env, env, "loss")
                assert lines(server.url, "loss", env, env)["loss"] == here
            if (folder(home, env) / "run.json").exists():
                assert find_run(folder(home, env), tmp_path).status == "crashed"
            return len(here)

        with ThreadPoolExecutor(2) as pool:
            points = list(pool.map(kill, range(TIMES)))
    figures(kills=TIMES, on_disk=sum(points), drawn=sum(points))


def push(run: Path, where: str) -> None:
    command = [sys.executable, "-m", "flexlogger", "runs", "push", str(run), "--to", where]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
