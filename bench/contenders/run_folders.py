"""Folders of runs as users leave them: a run of several processes opened, a thousand runs listed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import process
from bench.contenders.log_files import BATCH
from bench.stepping import NAMES, made_up_values
from flexlogger.plots.board import Board
from flexlogger.records import Definition, Event, MeterDef, PlotDef, Record
from flexlogger.replay.source import Source
from flexlogger.runs.card import Card, write_card
from flexlogger.runs.segment import SegmentWriter

PROJECTS = 5


class Contender:
    def __init__(self, folder: str) -> None:
        self._base = Path(folder)

    def round(self, what: str, count: int, parts: int = 1) -> dict[str, Any]:
        """`what` is open (a run of `count` records in `parts` segments that overlap in time) or list (`count` runs)."""
        made = self._base / f"{what}-{count}-{parts}"
        if not made.exists():
            _make_run(made / "p" / "r", count, parts) if what == "open" else _make_runs(made, count)
        process.forget_peak()
        before, started = process.rss_mb(), time.perf_counter()
        _open(made / "p" / "r", count) if what == "open" else _list(made, count)
        return {"seconds": time.perf_counter() - started, "grown": process.peak_mb() - before}

    def close(self) -> dict[str, Any]:
        return {}


def _open(folder: Path, records: int) -> None:
    """From the folder to the window that a dashboard would be sent."""
    board, source = Board(), Source(folder)
    for items in source.read():
        board.write(items)
    panel = board.panel("scalars")
    assert (source.records, len(panel.data)) == (records, len(NAMES))
    assert not source.damage


def _list(base: Path, runs: int) -> None:
    """The whole command, with the start of its interpreter."""
    command = [sys.executable, "-m", "flexlogger", "runs", "list", "--dir", str(base), "--where", "config.lr>0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == runs


def _make_run(folder: Path, records: int, parts: int) -> None:
    writers = [SegmentWriter(folder, "r") for _ in range(parts)]
    now = time.time()
    meters = tuple(MeterDef(name, "AverageValueMeter", "scalars") for name in NAMES)
    for writer in writers:
        writer.append([Event(now, "run", {"id": "r"}), Definition(now, (PlotDef("scalars"),), meters)])
    ring = made_up_values()
    for start in range(0, records, BATCH):
        steps = range(start, min(start + BATCH, records))
        batch = [Record(step, now + step / 1000, ring[step % len(ring)]) for step in steps]
        for part, writer in enumerate(writers):
            writer.append(batch[part::parts])
            writer.commit()
    for writer in writers:
        writer.close()


def _make_runs(base: Path, runs: int) -> None:
    """Cards of ordinary size: 30 settings, 20 results, ten libraries."""
    now = time.time()
    for number in range(runs):
        folder = base / f"project-{number % PROJECTS}" / f"run-{number:05}"
        folder.mkdir(parents=True)
        card = Card(id=folder.name, project=folder.parent.name, name=folder.name, status="finished", start=now + number)
        card.config = {"lr": 0.1 / (number + 1)} | {f"setting_{n}": n * number for n in range(29)}
        card.summary = {f"meter_{n}": {"min": 0.5 * n, "last": 0.7 * n} for n in range(20)}
        card.libraries = {f"library_{n}": "1.2.3" for n in range(10)}
        write_card(folder, card)
