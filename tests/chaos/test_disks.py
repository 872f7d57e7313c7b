"""A disk that fills, breaks or hangs in the middle of a training: one warning, no wait, no loss that is not counted."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from flexlogger.server.process import ServerProcess
from tests.chaos.checks import LONGEST_CALL_MS, calls, on_disk, windows_equal
from tests.chaos.disks import disk_image, small_memory_disk
from tests.chaos.figures import Figures
from tests.chaos.training import Plan, Training

pytestmark = pytest.mark.chaos

FULL = "cannot write"
FREE = "is written again"
LINES = (FULL, FREE, "dropped, by reason", "is not complete")
"""Words of all that may be said about a disk, each once."""


def plan(home: Path, disk: Path, **more: Any) -> Plan:
    settings = {"dir": str(disk / "runs"), "run": "r", "sinks": [], **more.pop("settings", {})}
    return Plan(home=home, settings=settings, **more)


def run_folder(disk: Path) -> Path:
    return disk / "runs" / "default" / "r"


def said(report: dict[str, Any], words: str) -> list[str]:
    return [line for _, line in report["said"] if words in line]


def balance(training: Training, report: dict[str, Any], disk: Path) -> dict[str, object]:
    """What was logged is on disk or counted as dropped, in order; one warning said why."""
    logged, written = training.truth.points(), on_disk(run_folder(disk))
    dropped = report["end"]["dropped"]
    took = calls(training.truth)
    assert set(written) <= set(logged)
    assert written == sorted(set(written)), "in order, and none twice"
    assert len(said(report, FULL)) == 1
    assert len(report["said"]) == sum(map(bool, (said(report, words) for words in LINES))), report["said"]
    assert 0 <= sum(dropped.values()) - (len(logged) - len(written)) <= 3, "and a few events, which are no points"
    assert len(said(report, "dropped, by reason")) == bool(dropped)
    assert took["longest_own_ms"] <= LONGEST_CALL_MS
    return {"logged": len(logged), "on_disk": len(written), "dropped": dropped, **took, "close_s": report["close_s"]}


def test_a_full_disk_that_is_freed_gets_everything(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    settings = {"sinks": ["visdom"], "port": server.port, "env": "disk-full", "max_points": 10**6}
    with small_memory_disk(tmp_path / "disk", 16) as disk:
        wanted = plan(tmp_path / "home", disk.folder, settings=settings, matrices=True, flush_s=60)
        with Training(wanted) as training:
            training.wait_for(500)
            disk.fill()
            training.wait_for(training.truth.count + 2000)
            disk.free()
            training.wait_for(training.truth.count + 2000)
            report = training.finish()
        assert report["shown"] is True
        assert report["end"]["dropped"] == {}
        assert len(said(report, FREE)) == 1
        windows_equal(training.truth.points(), server.url, "disk-full", "disk-full")
        figures(**balance(training, report, disk.folder), refusals=report["end"]["refusals"])


def test_a_disk_that_stays_full_costs_what_is_counted(tmp_path: Path, figures: Figures) -> None:
    with small_memory_disk(tmp_path / "disk", 4) as disk:
        with Training(plan(tmp_path / "home", disk.folder, pause=0.0, rows=300_000)) as training:
            report = training.ended()
        assert report["end"]["dropped"]["queue full"] > 0
        assert len(said(report, "is not complete")) == 1
        figures(**balance(training, report, disk.folder))


def test_a_disk_that_turns_read_only_costs_what_is_counted(tmp_path: Path, figures: Figures) -> None:
    with disk_image(tmp_path / "disk", 16) as disk:
        with Training(plan(tmp_path / "home", disk.folder, matrices=True)) as training:
            training.wait_for(1000)
            disk.break_down()
            training.wait_for(training.truth.count + 1000)
            report = training.finish()
        assert "Read-only file system" in said(report, FULL)[0]
        assert report["end"]["dropped"]["not written before close"] > 0
        figures(**balance(training, report, disk.folder))


def test_a_folder_that_takes_no_new_file_for_a_while_gets_everything(tmp_path: Path, figures: Figures) -> None:
    with disk_image(tmp_path / "disk", 16) as disk:
        with Training(plan(tmp_path / "home", disk.folder, matrices=True, flush_s=60)) as training:
            training.wait_for(300)
            folders = [run_folder(disk.folder), run_folder(disk.folder) / "blobs"]
            for folder in folders:
                disk.lock(folder)
            training.wait_for(training.truth.count + 1000)
            for folder in folders:
                disk.unlock(folder)
            report = training.finish()
        assert report["end"]["dropped"] == {}
        assert len(said(report, FREE)) == 1
        figures(**balance(training, report, disk.folder))


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path, figures: Figures) -> None:
    with disk_image(tmp_path / "disk", 128) as disk:
        with Training(plan(tmp_path / "home", disk.folder, pause=0.0, rows=2_000_000)) as training:
            training.wait_for(1000)
            disk.freeze()
            try:
                training.wait_for(training.truth.count + 100_000)  # more than the queue takes
            finally:
                disk.thaw()
            training.wait_for(training.truth.count + 1000)
            report = training.finish()
        logged, written = training.truth.points(), on_disk(run_folder(disk.folder))
        took = calls(training.truth)
        assert report["end"]["dropped"] == {"queue full": len(logged) - len(written)}
        assert took["longest_own_ms"] <= LONGEST_CALL_MS
        figures(logged=len(logged), on_disk=len(written), dropped=report["end"]["dropped"], **took)


def test_a_quota_that_is_raised_gets_everything(tmp_path: Path, figures: Figures) -> None:
    with Training(plan(tmp_path / "home", tmp_path, flush_s=60)) as training:
        training.wait_for(300)
        _, hard = resource.prlimit(training.pid, resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
        training.wait_for(training.truth.count + 1500)
        resource.prlimit(training.pid, resource.RLIMIT_FSIZE, (hard, hard))
        report = training.finish()
    assert "File too large" in said(report, FULL)[0]
    assert report["end"]["dropped"] == {}
    figures(**balance(training, report, tmp_path), refusals=report["end"]["refusals"])
