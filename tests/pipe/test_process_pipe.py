"""What only a process of its own has to show: that it is light, that it comes back, that it goes when it should."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flexlogger import FlexLogger
from flexlogger.pipe import process as looked_after
from flexlogger.pipe.process import COMMAND
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.test_owners import eventually, series
from tests.pipe.places import Place

HEAVY = ("torch", "visdom", "plotly", "matplotlib", "PIL", "typer", "rich", "zmq", "pydantic", "asyncio", "tornado")
MODULES = 380
"""Modules that the process may import; a fresh interpreter with numpy and msgspec has about 300."""


@pytest.fixture
def place(server: ServerProcess) -> Place:
    return Place("process", server)


def views_processes(of: int | None = None) -> list[psutil.Process]:
    children = psutil.Process(of).children() if of is not None else psutil.Process().children()
    return [child for child in children if "flexlogger.pipe.child" in child.cmdline()]


def test_it_imports_little() -> None:
    """How soon it is up is a matter of what it imports: no torch, nothing that a line plot does not need."""
    code = """
import sys, runpy
import flexlogger.pipe.child, flexlogger.sinks.visdom
print(*sys.modules)
"""
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    modules = ended.stdout.split()
    assert not {name for name in modules if name.partition(".")[0] in HEAVY}
    assert len(modules) <= MODULES, sorted(modules)


def test_without_an_order_it_says_who_starts_it() -> None:
    ended = subprocess.run(
        [sys.executable, *COMMAND], input="", capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "flexlogger.pipe.child: expected an order on standard input; this is started by pipe: process\n"
    )


def test_one_that_is_killed_is_started_again_and_draws_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(looked_after, "BACK_OFF_S", (0.05, 0.5))
    with FlexLogger({"loss": {}}, env="killed-views", **place.settings) as stat:
        for life in range(3):
            for step in range(100 * life, 100 * life + 100):
                stat.add(loss=float(step))
                stat.log(step)
            assert stat.flush(60)
            (child,) = views_processes()
            child.kill()
            eventually(lambda life=life: stat.status()["views"]["visdom"]["restarts"], life + 1)  # type: ignore[misc]
        assert stat.flush(60)
        assert place.lines("killed-views", "loss")["loss"] == series(0, 300)
        view = stat.status()["views"]["visdom"]
        assert (view["ok"], view["outages"], view["restarts"]) == (True, 3, 3)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 2
    assert "the process that runs the views was ended by signal 9" in caplog.text
    assert "visdom was away 3 times" in caplog.text
    assert views_processes() == []


def test_one_that_hangs_is_ended_and_started_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked_after, "BACK_OFF_S", (0.05, 0.5))
    monkeypatch.setattr(looked_after, "HANGS_S", 2.0)
    monkeypatch.setattr(looked_after, "END_S", 0.2)
    with FlexLogger({"loss": {}}, env="hung-views", **place.settings) as stat:
        stat.add(loss=0.5)
        stat.log(0)
        assert stat.flush(60)
        (child,) = views_processes()
        child.suspend()
        eventually(lambda: stat.status()["views"]["visdom"]["restarts"], 1)
        assert stat.flush(60)
        assert not child.is_running()


def test_it_outlives_a_killed_trainer_just_long_enough(place: Place, tmp_path: Path) -> None:
    """Ctrl-C, which a terminal sends to the whole group, does not reach it; the trainer's death ends it."""
    body = f"""
        import os, sys
        from flexlogger import FlexLogger
        stat = FlexLogger({{"loss": {{}}}}, env="outlived", run="r", dir=FOLDER, **{place.settings!r})
        stat.add(loss=0.5); stat.log(0)
        assert stat.flush(60)
        print("ready", flush=True)
        sys.stdin.readline()
    """
    trainer = start(body, tmp_path, stdin=subprocess.PIPE, start_new_session=True)
    assert trainer.stdout is not None
    assert trainer.stdout.readline() == "ready\n"
    (child,) = views_processes(trainer.pid)
    assert os.getpgid(child.pid) != os.getpgid(trainer.pid)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) > os.getpriority(os.PRIO_PROCESS, trainer.pid)  # it steps back
    trainer.send_signal(signal.SIGKILL)
    died = time.monotonic()
    trainer.communicate()
    child.wait(20)
    assert time.monotonic() - died < 15
