"""One small run whose values every sink is tried with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from flexlogger import FlexLogger

PLOTS: dict[str, Any] = {
    "loss": {"type": "line"},
    "recall": {"type": "line"},
    "confusion": {"type": "heatmap"},
    "picture": {"type": "image"},
    "grid": {"type": "images"},
    "words": {"type": "text"},
    "rows": {"type": "table"},
    "weights": {"type": "histogram"},
}
METERS: dict[str, Any] = {
    "train_loss": {"type": "AverageValueMeter", "target": "loss"},
    "test_loss": {"type": "AverageValueMeter", "target": "loss"},
    "recall": {"type": "LastValueMeter", "labels": ["cat", "dog"]},
    "confusion": {"type": "ConfusionMeter", "opts": {"k": 2}},
}
ABOUT: dict[str, Any] = {
    "run": "r1",
    "project": "pets",
    "name": "first",
    "tags": ["a", "b"],
    "notes": "what it is about",
    "config": {"lr": 0.1, "net": {"sizes": [8, 16]}},
}
WAIT_S = 60.0
"""Trackers are imported, and their databases made, in a view's thread."""


def losses(steps: range) -> dict[str, list[tuple[float, float]]]:
    return {
        "train_loss": [(step, 1 / (step + 1)) for step in steps],
        "test_loss": [(step, 2 / (step + 3)) for step in steps if step % 5 == 0],
    }


@contextmanager
def logging(*sinks: Any, **settings: Any) -> Iterator[FlexLogger]:
    """A logger of the run; at the end everything is shown before it closes."""
    with FlexLogger(PLOTS, METERS, sinks=list(sinks), **(ABOUT | settings)) as stat:
        yield stat
        assert stat.flush(WAIT_S)


def log_losses(stat: FlexLogger, steps: range) -> None:
    expected = losses(steps)
    tests = dict(expected["test_loss"])
    for step, value in expected["train_loss"]:
        stat.add({"train_loss": value})
        if step in tests:
            stat.add({"test_loss": tests[step]})
        stat.log(int(step))


def log_the_rest(stat: FlexLogger, step: int) -> None:
    """A value of every other kind."""
    picture = np.full((8, 6, 3), 200, np.uint8)
    stat.add({"recall": np.array([0.25, 1.0])})
    stat.add({"confusion": (np.array([0, 1, 1]), np.array([0, 1, 0]))})
    stat.add({"picture": picture, "grid": np.stack([picture, picture]), "words": "hello"})
    stat.add({"rows": {"columns": ["word", "n"], "rows": [["cat", 2], ["dog", 1]]}})
    stat.add({"weights": np.linspace(-1.0, 1.0, 100)})
    stat.log(step)
