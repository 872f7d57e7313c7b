"""A monitor far away: over a road that is slow, loses packets and is cut. Nothing is lost, twice or out of order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.records import Record
from flexlogger.runs.reader import RunReader
from tests.monitor.watching import wait_for
from tests.net.road import Road
from tests.pipe.places import Monitor


def files(folder: Path) -> dict[str, bytes]:
    """Logs and the arrays in them."""
    found = [*folder.glob("*.jsonl"), *(path for path in folder.glob("blobs/**/*") if path.is_file())]
    return {path.name: path.read_bytes() for path in found}


def size_of(folder: Path) -> int:
    return sum(map(len, files(folder).values()))


def train_over_a_bad_road(folder: Path, steps: int, cuts: int, delay: float, loss: float) -> None:
    """Log `steps` values, every tenth with an array, while the road is cut `cuts` times, each time in the middle of
    sending; the monitor's copy must be the trainer's, byte for byte."""
    rng = np.random.default_rng(0)
    with (
        Monitor(folder / "there", "--sinks", "none") as monitor,
        Road(int(monitor.where.rpartition(":")[2]), delay=delay, loss=loss, bytes_a_second=2e6, seed=2) as road,
        FlexLogger(
            {"loss": {}, "seen": {"type": "heatmap"}},
            run="far",
            dir=folder / "here",
            pipe=f"tcp://127.0.0.1:{road.port}",
        ) as stat,
    ):
        there, before = monitor.base / "default" / "far", 0
        logged = 0

        def log_some() -> None:
            nonlocal logged
            for step in range(logged, logged + 10):
                if step % 10 == 0:
                    stat.add(seen=rng.random((40, 40)))
                stat.add(loss=float(step))
                stat.log(step)
            logged += 10

        def amid() -> bool:
            """Something is on the road, of what is logged until that is so."""
            if road.under_way <= 2000:
                log_some()
            return road.under_way > 2000

        for cut in range(cuts):
            while logged < steps * (cut + 1) // (cuts + 1):
                log_some()
            wait_for(lambda: road.connections > cut and size_of(there) > before, "the trainer is back")  # noqa: B023
            wait_for(amid, "the middle of it")
            road.cut()
            before = size_of(there)
        while logged < steps:
            log_some()
        assert stat.flush(60 + 10 * cuts)
        here = stat.folder
        assert files(there) == files(here)
        assert len(files(here)) == 1 + logged // 10
        items = list(RunReader(there).items())
        assert [item.step for item in items if isinstance(item, Record) and item.values] == list(range(logged))
        assert stat.status()["dropped"] == {}
        assert stat.status()["views"]["tcp"]["behind"] == 0
    assert road.connections > cuts
    assert road.lost > 0


def test_a_far_and_lossy_road_that_is_cut(tmp_path: Path) -> None:
    train_over_a_bad_road(tmp_path, 2000, cuts=3, delay=0.02, loss=0.03)


@pytest.mark.chaos
@pytest.mark.parametrize(("delay", "loss"), [(0.15, 0.02), (0.01, 0.2)], ids=["far", "lossy"])
def test_a_very_bad_road_that_is_cut_again_and_again(tmp_path: Path, delay: float, loss: float) -> None:
    train_over_a_bad_road(tmp_path, 5000, cuts=10, delay=delay, loss=loss)
