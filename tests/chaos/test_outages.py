"""A dashboard that goes away twenty times: training does not wait for it, and its windows end up whole."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest

from tests.chaos.figures import Figures
from tests.chaos.outages import Dashboard, Wire
from tests.chaos.training import MATRIX_EVERY, THINNED, Plan, Training
from tests.chaos.truth import Truth
from tests.end_to_end.windows import traces, window

pytestmark = pytest.mark.chaos

OUTAGES = 20
LONGEST_CALL_S = 0.05
ALL = 10**6  # points a window may show: more than are logged


class Drawn:
    """Whose windows to look at."""

    def __init__(self, report: dict[str, Any]) -> None:
        self.env: str = report["env"]
        self.uid: str = report["uid"]


def windows_equal(report: dict[str, Any], truth: Truth, url: str) -> None:
    """Every point of the whole window, the ends and extremes of the thinned one, the last one of the matrices."""
    drawn: Any = Drawn(report)
    points = truth.points()
    assert traces(drawn, url, "loss")["loss"] == points
    thinned = traces(drawn, url, "thinned")["thinned"]
    by_value = sorted(points, key=lambda point: point[1])
    assert len(thinned) <= THINNED
    assert set(thinned) <= set(points)
    assert {points[0], points[-1], by_value[0], by_value[-1]} <= set(thinned)
    last = points[-1][0] // MATRIX_EVERY * MATRIX_EVERY
    for name, size in (("small", 4), ("large", 40)):
        (heatmap,) = window(drawn, url, name)["content"]["data"]
        assert np.array_equal(heatmap["z"], np.full((size, size), last))


def calls(truth: Truth) -> dict[str, float]:
    """How long calls took, in ms. What the kernel kept the thread from a core for is no wait of ours, and is given
    beside the plain longest."""
    call = truth.column("add_s") + truth.column("log_s")
    own = call - np.minimum(call, truth.column("queued_s"))
    return {
        "calls": 2 * len(call),
        "median_ms": 1000 * float(np.median(call)),
        "p99.9_ms": 1000 * float(np.quantile(call, 0.999)),
        "longest_ms": 1000 * float(call.max()),
        "longest_without_queueing_for_a_core_ms": 1000 * float(own.max()),
        "longest_of_plain_python_ms": 1000 * float(truth.column("control_s").max()),
    }


def plan(home: Path, port: int) -> Plan:
    settings = {"dir": str(home / "runs"), "run": "r", "env": "chaos", "port": port, "max_points": ALL}
    return Plan(home=home, settings=settings, pause=0.005, matrices=True, rows=100_000, flush_s=60)


def happen(training: Training, url: str, kinds: tuple[Callable[[float], None], ...], seed: int) -> Counter[str]:
    """Twenty outages of all kinds, short and long, each fourth before the last is over; how many of each."""
    rng = random.Random(seed)
    order = [kinds[n % len(kinds)] for n in range(OUTAGES)]
    rng.shuffle(order)
    training.wait_for(100)
    for n, outage in enumerate(order):
        outage(rng.uniform(5.5, 7.0) if n % 7 == 3 else rng.uniform(0.1, 2.0))
        if n % 4:
            wait_until_drawn(training.truth.count, url)
    return Counter(outage.__name__ for outage in order)


def wait_until_drawn(count: int, url: str) -> None:
    """Return once the window shows a step that was logged after the first `count`."""
    drawn: Any = Drawn({"env": "chaos", "uid": "chaos"})
    deadline = time.monotonic() + 40
    while True:
        try:
            if traces(drawn, url, "thinned")["thinned"][-1][0] >= count:
                return
        except (AssertionError, HTTPError):
            pass  # a new server has no such window, or no such environment
        assert time.monotonic() < deadline, "the dashboard is there, and its window is not"
        time.sleep(0.1)


def check(training: Training, report: dict[str, Any], dashboard: Dashboard) -> dict[str, object]:
    """No call waited, nothing is missing, and what happened was said, once for each time."""
    truth, view = training.truth, report["end"]["views"]["visdom"]
    took = calls(truth)
    assert report["shown"] is True
    windows_equal(report, truth, dashboard.url)
    away = [said for _, said in report["said"] if "training goes on and nothing is lost" in said]
    back = [said for _, said in report["said"] if "is back" in said]
    assert 1 <= len(away) <= OUTAGES
    assert len(back) == len(away), "each outage that was told ends with a line too"
    assert all(f"flexlogger server --port {training.plan.settings['port']}" in said for said in away)
    assert report["end"]["dropped"] == {}
    assert view["ok"]
    assert any(not ok for _, ok, _ in report["views"]), "status() says so while it lasts"
    assert took["longest_without_queueing_for_a_core_ms"] <= 1000 * LONGEST_CALL_S
    assert view["outages"] == len(away)
    return {**took, "points": truth.count, "lost": 0, "outages": OUTAGES, "told": len(away), "away_s": view["away_s"]}


def test_a_server_that_is_killed_restarted_and_frozen(tmp_path: Path, figures: Figures) -> None:
    with Dashboard(tmp_path) as dashboard, Training(plan(tmp_path / "home", dashboard.port)) as training:
        kinds = happen(training, dashboard.url, (dashboard.killed, dashboard.restarted, dashboard.mute), seed=21)
        report = training.finish()
        figures(**check(training, report, dashboard), kinds=dict(kinds))


def test_a_network_that_cuts_and_stalls(tmp_path: Path, figures: Figures) -> None:
    with (
        Dashboard(tmp_path) as dashboard,
        Wire(dashboard.port) as wire,
        Training(plan(tmp_path / "home", wire.port)) as training,
    ):
        kinds = happen(training, dashboard.url, (wire.cut, wire.flicker, wire.stalled, wire.deaf, wire.lost), seed=22)
        report = training.finish()
        figures(**check(training, report, dashboard), kinds=dict(kinds), connections=wire.connections)
