"""A training that ends, well or badly, while its dashboard does not answer: the log draws what is missing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chaos.checks import on_disk, windows_equal
from tests.chaos.figures import Figures
from tests.chaos.outages import Dashboard
from tests.chaos.training import Plan, Training
from tests.servers import RunFlexlogger

pytestmark = pytest.mark.chaos

PATIENCE_S = 5.0 + 5.0  # for the log and for the views


def plan(home: Path, port: int) -> Plan:
    settings = {"dir": str(home / "runs"), "run": "r", "env": "chaos", "port": port, "max_points": 10**6}
    return Plan(home=home, settings=settings, matrices=True, flush_s=1.0)


@pytest.mark.parametrize("killed", [False, True])
def test_an_end_in_front_of_a_mute_server(
    tmp_path: Path, figures: Figures, run_flexlogger: RunFlexlogger, killed: bool
) -> None:
    folder = tmp_path / "runs" / "default" / "r"
    with Dashboard(tmp_path) as dashboard:
        with Training(plan(tmp_path, dashboard.port)) as training:
            training.wait_for(1000)
            os.kill(dashboard.server.pid, signal.SIGSTOP)
            training.wait_for(training.truth.count + 1000)
            if killed:
                training.kill()
            else:
                report = training.finish()
                assert report["shown"] is False
                assert report["close_s"] < PATIENCE_S
                assert f"flexlogger replay {folder} --to visdom" in report["said"][-1][1]
                assert on_disk(folder) == training.truth.points()
        dashboard.killed(0.1)
        ended = run_flexlogger("replay", str(folder), "--port", str(dashboard.port))
        assert ended.returncode == 0, ended.stderr
        windows_equal(on_disk(folder), dashboard.url)
        figures(logged=training.truth.count, drawn=len(on_disk(folder)))
