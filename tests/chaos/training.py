"""The training processes that the tests do bad things to, and how they are started, watched and ended."""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import os
import time
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from tests.chaos.truth import Truth

MATRIX_EVERY = 25
"""Steps from one matrix to the next, where a plan wants some: one small enough for its line, one that is a blob."""

THINNED = 200
"""Points of the second window; the first shows all that a test's `max_points` allows."""

# Forks of one warmed-up process: a hundred trainings start in a hundred milliseconds each, not in seconds. The server
# itself has no logger and no threads, so that a fork of it is what a fresh interpreter would be.
_zygote = multiprocessing.get_context("forkserver")
_zygote.set_forkserver_preload(["__main__", "flexlogger.logger", "tests.chaos.training", "PIL.Image"])


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a training process does: log steps from `first` on, until it is told to stop, has `rows`, or dies."""

    home: Path
    settings: Mapping[str, Any]
    first: int = 0
    rows: int = 200_000
    pause: float = 0.001
    burst: int = 1
    """Steps between two pauses."""
    matrices: bool = False
    seed: int = 0
    flush_s: float = 0.0
    """How long to wait at the end until everything is shown, before it closes."""


def value_of(seed: int, step: float) -> float:
    """What is logged at a step: anybody can say what it must have been.

    >>> value_of(1, 10) == value_of(1, 10) != value_of(2, 10)
    True
    """
    return math.sin(0.37 * step + seed) + step / 1000


# ---- in the training process


class Notes(logging.Handler):
    """What flexlogger said, with the time."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[float, str]] = []
        logger = logging.getLogger("flexlogger")
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((time.time(), record.getMessage()))


def train(plan: Plan) -> None:
    """Log, note what was logged, and leave a report where the end is an orderly one."""
    from flexlogger import FlexLogger, faults

    notes = Notes()
    plots = {"loss": {}, "thinned": {"max_points": THINNED}, "small": {"type": "heatmap"}, "large": {"type": "heatmap"}}
    meters = {name: {"type": "AverageValueMeter"} for name in ("loss", "thinned")}
    truth = Truth(plan.home / "truth")
    started = time.time()
    with FlexLogger(plots, meters, **plan.settings) as stat:
        seen = _loop(plan, stat, truth)
        shown = stat.flush(plan.flush_s) if plan.flush_s else None
        status, told = stat.status(), {"env": stat.env, "uid": stat.uid, "folder": str(stat.folder), "url": stat.url}
        closing = perf_counter()
    told |= {
        "status": status,
        "end": stat.status(),
        "shown": shown,
        "close_s": perf_counter() - closing,
        "said": notes.said,
        "views": seen,
        "started": started,
        "faults": [repr(fault) for fault in faults.seen],
    }
    write_whole(plan.home / "report.json", told)


def _loop(plan: Plan, stat: Any, truth: Truth) -> list[tuple[float, bool, str]]:
    """Add and log, with a stopwatch around each call and around as much plain Python; what became of the dashboard."""
    kernel = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    seen: list[tuple[float, bool, str]] = []
    step, look = plan.first, 0.0
    while not truth.stopping:
        value = value_of(plan.seed, step)
        queued = _queued(kernel)
        before = perf_counter()
        stat.add(loss=value, thinned=value)
        if plan.matrices and step % MATRIX_EVERY == 0:
            stat.add(small=np.full((4, 4), float(step)), large=np.full((40, 40), float(step)))
        between = perf_counter()
        stat.log(step)
        after = perf_counter()
        waited = _queued(kernel) - queued
        controlled = perf_counter()
        sum(range(300))
        control = perf_counter() - controlled
        if not truth.note(step, value, time.time(), between - before, after - between, control, waited):
            break
        step += 1
        if plan.pause and step % plan.burst == 0:
            time.sleep(plan.pause)
        if after > look:
            look = after + 0.1
            _watch(stat, seen)
    os.close(kernel)
    return seen


def _queued(kernel: int) -> float:
    """Seconds that this thread has been ready to run and given no core, from the kernel's own books."""
    return int(os.pread(kernel, 100, 0).split()[1]) * 1e-9


def _watch(stat: Any, seen: list[tuple[float, bool, str]]) -> None:
    view = stat.status()["views"].get("visdom")
    if view is not None and (not seen or seen[-1][1:] != (view["ok"], view["error"])):
        seen.append((time.time(), view["ok"], view["error"]))


def write_whole(path: Path, told: dict[str, Any]) -> None:
    """A report is there in full or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(told, default=str))
    part.rename(path)


# ---- in the test


class Training:
    """A training process, seen from outside. Leaving the `with` block ends it, whatever state it is in."""

    def __init__(self, plan: Plan, target: Any = train) -> None:
        plan.home.mkdir(parents=True, exist_ok=True)
        self.plan = plan
        self.truth = Truth(plan.home / "truth", plan.rows)
        self._process = _zygote.Process(target=target, args=(plan,))
        self._process.start()
        self.started = time.time()

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process.pid is not None
        return self._process.pid

    def wait_for(self, count: int, timeout: float = 60.0) -> None:
        """Return once it has logged `count` steps."""
        deadline = time.monotonic() + timeout
        while self.truth.count < count:
            assert self._process.is_alive(), f"it ended after {self.truth.count} steps"
            assert time.monotonic() < deadline, f"it logged {self.truth.count} of {count} steps in {timeout:g} s"
            time.sleep(0.005)

    def kill(self) -> float:
        """End it with SIGKILL; return the moment before."""
        now = time.time()
        self._process.kill()
        self._process.join(30)
        return now

    def finish(self, timeout: float = 90.0) -> dict[str, Any]:
        """Ask it to end its loop, wait until it has ended in order, and return its report."""
        self.truth.stop()
        return self.ended(timeout)

    def ended(self, timeout: float = 90.0) -> dict[str, Any]:
        """Wait until it has ended in order, and return its report."""
        self._process.join(timeout)
        assert self._process.exitcode == 0, f"it ended with {self._process.exitcode}"
        report: dict[str, Any] = json.loads((self.plan.home / "report.json").read_text())
        assert report["faults"] == []
        return report

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join(30)
