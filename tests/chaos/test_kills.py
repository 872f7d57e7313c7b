"""A hundred trainings killed at random moments: what is on disk is what they had logged a second before."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger.records import Record
from flexlogger.runs.card import read_card, status_of
from flexlogger.runs.segment import Damage
from flexlogger.server.process import ServerProcess
from tests.chaos.figures import Figures
from tests.chaos.training import MATRIX_EVERY, Plan, Training, value_of
from tests.end_to_end.scripts import read_run

pytestmark = pytest.mark.chaos

KILLS = 100
AT_ONCE = 4
SEED = 20
PACES: tuple[dict[str, Any], ...] = (
    {"pause": 0.001},
    {"pause": 0.05, "burst": 500},
    {"pause": 0.002, "matrices": True},
    {"pause": 0.0},
)


class Killed:
    """What one killed training had logged, and what its folder holds."""

    def __init__(self, plan: Plan, after: float) -> None:
        with Training(plan) as training:
            time.sleep(after)
            died = training.kill()
            self.logged = training.truth.points()
            times = training.truth.column("time")
        folder = plan.home / "runs" / "default" / "r"
        self.on_disk: list[tuple[float, float]] = []
        self.matrices: dict[str, list[float]] = {"small": [], "large": []}
        self.damage = Damage()
        self.leftovers = len(list(folder.rglob(".*")))
        for segment in read_run(folder):
            self.on_disk += segment.series("loss")
            self.damage = segment.damage
            for record in segment.items:
                for datum in record.data if isinstance(record, Record) else ():
                    assert np.array_equal(datum.value, np.full_like(datum.value, record.step))
                    self.matrices[datum.name].append(record.step)
        self.due = int((times <= died - 1.0).sum())
        missing = times[len(self.on_disk) :]
        self.oldest_lost = died - float(missing[0]) if len(missing) else 0.0
        self.has_card = (folder / "run.json").exists()
        self.card = read_card(folder)


def test_a_hundred_kills_leave_all_but_the_last_second(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    rng = random.Random(SEED)
    delays = [rng.uniform(0.02, 2.5) for _ in range(KILLS)]

    def kill(n: int) -> Killed:
        home = tmp_path / str(n)
        sinks = ["visdom"] if n // len(PACES) % 2 else []
        settings = {"dir": str(home / "runs"), "run": "r", "env": f"killed-{n}", "port": server.port, "sinks": sinks}
        plan = Plan(home=home, settings=settings, rows=500_000, seed=n, **PACES[n % len(PACES)])
        return Killed(plan, delays[n])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(kill, range(KILLS)))
    for n, end in enumerate(ends):
        assert len(end.on_disk) >= end.due, f"kill {n} of seed {SEED}: {end.due - len(end.on_disk)} older than a second"
        # The process may have died between `log` and its note of it.
        assert end.on_disk[: len(end.logged)] == end.logged[: len(end.on_disk)]
        assert end.on_disk[len(end.logged) :] in ([], [(len(end.logged), value_of(n, len(end.logged)))])
        for steps in end.matrices.values():
            assert steps == list(range(0, MATRIX_EVERY * len(steps), MATRIX_EVERY))
        assert end.damage in (Damage(), Damage(torn=1))
        if end.has_card:
            assert end.card is not None
            assert status_of(end.card, time.time()) == "crashed"
    figures(
        kills=KILLS,
        seed=SEED,
        logged=sum(len(end.logged) for end in ends),
        on_disk=sum(len(end.on_disk) for end in ends),
        lost=sum(max(0, len(end.logged) - len(end.on_disk)) for end in ends),
        oldest_lost_ms=1000 * max(end.oldest_lost for end in ends),
        matrices=sum(len(end.matrices["large"]) for end in ends),
        torn=sum(end.damage.torn for end in ends),
        damaged_or_missing=sum(end.damage.damaged + end.damage.missing + end.damage.blobs for end in ends),
        unfinished_files=sum(end.leftovers for end in ends),
        cards=sum(end.has_card for end in ends),
    )
