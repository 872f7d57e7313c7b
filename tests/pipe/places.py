"""The three places where dashboards are drawn, as a user has them: threads, a process, a machine with a monitor."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import post

WORDS = ("thread", "process", "tcp")


class Monitor:
    """`flexlogger monitor` as a process of its own."""

    def __init__(self, base: Path, *options: object, listen: str = "tcp://127.0.0.1:0") -> None:
        self.base = base
        words = ["monitor", "--listen", listen, "--dir", base, *options]
        command = [sys.executable, "-m", "flexlogger", *map(str, words)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("flexlogger monitor: listening on "):
            raise AssertionError(line + self.process.communicate()[1])
        self.where = line.split()[4].rstrip(",")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str, str]:
        """Ask it to end; its exit status, and what it said."""
        self.process.terminate()
        said, errors = self.process.communicate(timeout=60)
        return self.process.returncode, said, errors

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Place:
    """One of them: what a config says to draw there, and where the run's folder can be looked at afterwards."""

    def __init__(self, word: str, server: ServerProcess, monitor: Monitor | None = None) -> None:
        self.word = word
        self.server = server
        self.settings: dict[str, Any] = {"pipe": word, "port": server.port}
        self.there = monitor.base if monitor is not None else None
        if monitor is not None:
            self.settings = {"pipe": monitor.where}
        self.view = "tcp" if monitor is not None else "visdom"
        """What the view is called in `status()`."""

    def folder(self, here: Path) -> Path:
        """The folder of a run as whoever draws it has it."""
        return self.there / here.parent.name / here.name if self.there is not None else here

    def windows(self, env: str) -> dict[str, dict[str, Any]]:
        """What is shown in an environment, by title: id, kind and content of each window."""
        found = json.loads(post(self.server.url, "/win_data", {"eid": env, "win": None}))
        return {each["title"]: {key: each.get(key) for key in ("id", "type", "content")} for each in found.values()}

    def all_lines(self, env: str) -> list[dict[str, list[tuple[float, float]]]]:
        """The points of every window's lines, by name: of windows with the same title too."""
        found = json.loads(post(self.server.url, "/win_data", {"eid": env, "win": None}))
        return [_lines(window) for window in found.values()]

    def lines(self, env: str, title: str) -> dict[str, list[tuple[float, float]]]:
        """The points of a window's lines, by name."""
        window = self.windows(env).get(title)
        return _lines(window) if window is not None else {}


def _lines(window: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    data = window["content"]["data"]
    return {t["name"]: list(zip(t["x"], t["y"], strict=True)) for t in data if "lines" in t.get("mode", "")}


@pytest.fixture(scope="session")
def monitor(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """One monitor for the session, which draws on the session's server and ends as it should."""
    with Monitor(tmp_path_factory.mktemp("there"), "--server", "127.0.0.1", "--port", server.port) as running:
        yield running
        code, _, errors = running.stop()
        assert (code, errors) == (0, "")


@pytest.fixture
def env(request: pytest.FixtureRequest) -> str:
    """A name of the test's own on the session's server."""
    return re.sub(r"[^\w-]+", "-", request.node.name.removeprefix("test_")).strip("-")[-60:].strip("-_")


@pytest.fixture(params=WORDS)
def place(request: pytest.FixtureRequest, server: ServerProcess) -> Place:
    """Each of the three in turn."""
    monitor = request.getfixturevalue("monitor") if request.param == "tcp" else None
    return Place(request.param, server, monitor)
