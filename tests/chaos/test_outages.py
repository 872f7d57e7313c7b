"""A dashboard that goes away twenty times: training does not wait for it, and its windows end up whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checks import LONGEST_CALL_MS, calls, until_drawn, windows_equal
from tests.chaos.figures import Figures
from tests.chaos.outages import Dashboard, Wire
from tests.chaos.training import Plan, Training

pytestmark = pytest.mark.chaos

OUTAGES = 20
ALL = 10**6  # points a window may show: more than are logged


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
            until_drawn(training.truth.count, url)
    return Counter(outage.__name__ for outage in order)


def check(training: Training, report: dict[str, Any], dashboard: Dashboard) -> dict[str, object]:
    """No call waited, nothing is missing, and what happened was said, once for each time."""
    truth, view = training.truth, report["end"]["views"]["visdom"]
    took = calls(truth)
    assert report["shown"] is True
    windows_equal(truth.points(), dashboard.url)
    away = [said for _, said in report["said"] if "training goes on and nothing is lost" in said]
    back = [said for _, said in report["said"] if "is back" in said]
    assert 1 <= len(away) <= OUTAGES
    assert len(back) == len(away), "each outage that was told ends with a line too"
    assert all(f"flexlogger server --port {training.plan.settings['port']}" in said for said in away)
    assert report["end"]["dropped"] == {}
    assert view["ok"]
    assert any(not ok for _, ok, _ in report["views"]), "status() says so while it lasts"
    assert took["longest_own_ms"] <= LONGEST_CALL_MS
    assert view["outages"] == len(away)
    assert [said for _, said in report["said"]][-1].startswith(f"flexlogger: visdom was away {len(away)} times")
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
