"""Times single steps of a training loop that does nothing but log. Standard library only."""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.figures import percentile

NAMES = ("train_loss", "train_acc", "lr", "grad_norm", "samples_per_s")
Values = dict[str, float]
Step = Callable[[int, Values], object]
_RING = 1000


def made_up_values(seed: int = 0) -> list[Values]:
    """Dicts of five scalars as training gives them, to be used in turns."""
    rng = random.Random(seed)
    return [
        {
            "train_loss": rng.lognormvariate(-1, 0.5),
            "train_acc": rng.randint(32, 64) / 64,
            "lr": 1e-3 * rng.random(),
            "grad_norm": rng.lognormvariate(0, 1),
            "samples_per_s": rng.gauss(5000, 100),
        }
        for _ in range(_RING)
    ]


def tight(step: Step, first: int, most: int, seconds: float) -> dict[str, Any]:
    """Call `step` up to `most` times for about `seconds`, as fast as it goes; the time of each call is kept."""
    overhead = _overhead_us()
    durations, wall = _timed(step, first, most, seconds)
    return _figures(durations, wall, overhead)


def _timed(step: Step, first: int, most: int, seconds: float) -> tuple[list[int], float]:
    ring, clock = made_up_values(), time.perf_counter_ns
    marks = array("q", bytes(8 * (most + 1)))
    end = clock() + int(seconds * 1e9)
    marks[0] = started = clock()
    done = most
    for i in range(most):
        step(first + i, ring[i % _RING])
        marks[i + 1] = now = clock()
        if now > end:
            done = i + 1
            break
    wall = (clock() - started) / 1e9
    return [marks[i + 1] - marks[i] for i in range(done)], wall


def paced(step: Step, first: int, rate: float, seconds: float) -> dict[str, Any]:
    """Call `step` `rate` times a second for `seconds`; between calls the thread sleeps, as one that waits for torch.

    A step that is late is not made up for: the next is due one period later.
    """
    overhead = _overhead_us()
    ring, clock = made_up_values(), time.perf_counter_ns
    period = int(1e9 / rate)
    times = array("q")
    started = due = clock()
    end = started + int(seconds * 1e9)
    i = 0
    while due < end:
        now = clock()
        if now < due:
            time.sleep((due - now) / 1e9)
        before = clock()
        step(first + i, ring[i % _RING])
        after = clock()
        times.append(after - before)
        due = max(due, after - period) + period
        i += 1
    return _figures(times.tolist(), (clock() - started) / 1e9, overhead)


def _overhead_us() -> float:
    """What reading the clock and calling a step cost by themselves, which is taken off every figure of a round."""
    return min(median(_timed(_nothing, 0, 20_000, 1.0)[0]) for _ in range(3)) / 1000


def _nothing(i: int, values: Values) -> None:
    """A step that does nothing."""


def _figures(nanoseconds: list[int], wall: float, overhead: float) -> dict[str, Any]:
    ordered = sorted(nanoseconds)
    return {
        "steps": len(ordered),
        "median": percentile(ordered, 0.5) / 1000 - overhead,
        "p99": percentile(ordered, 0.99) / 1000 - overhead,
        "p999": percentile(ordered, 0.999) / 1000 - overhead,
        "per_second": len(ordered) / wall,
    }
