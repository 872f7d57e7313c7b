"""How far a loop is, and how fast it goes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import islice
from typing import Any

from flexlogger.answer import Answer

LOG_S = 1.0
"""The speed is logged about so often, as that of the time since."""


_WELL: dict[str, Any] = {
    "ok": True,
    "failures": 0,
    "outages": 0,
    "away_s": 0.0,
    "error": "",
    "flushes": 0,
    "unseen": 0,
    "damaged": 0,
    "behind": False,
    "left_out": {},
}
"""The health of a view that nothing can happen to."""


class Counted:
    """Counts the steps of a loop and the samples in them. Times are in seconds, from any clock.

    >>> loop = Counted("train", total=100, start=10.0)
    >>> for step in range(20):
    ...     loop.count(64)
    >>> loop.due(10.5), loop.due(12.0)
    (None, {'train_samples_per_s': 640.0, 'train_step_s': 0.1})
    >>> loop.left(12.0)
    8.0
    """

    def __init__(self, description: str, total: int | None, start: float) -> None:
        self.description = description
        self.total = total
        self.start = start
        self.steps = 0
        self.samples = 0
        """0 where the batches do not tell their size."""
        self.end: float | None = None
        self._at = (start, 0, 0)

    def count(self, samples: int) -> None:
        """One step more is done."""
        self.steps += 1
        self.samples += samples

    def due(self, now: float, last: bool = False) -> dict[str, float] | None:
        """What is to be logged of the time since this was asked with success; None where it is too early."""
        time, steps, samples = self._at
        seconds, done, more = now - time, self.steps - steps, self.samples - samples
        if not done or seconds <= 0 or (seconds < LOG_S and not last):
            return None
        self._at = (now, self.steps, self.samples)
        by_sample, by_step = speeds(self.description)
        return ({by_sample: more / seconds} if more else {}) | {by_step: seconds / done}

    def rates(self, now: float) -> tuple[float, float] | None:
        """Steps and samples a second since the loop began; None before its first step."""
        seconds = (self.end or now) - self.start
        return (self.steps / seconds, self.samples / seconds) if self.steps and seconds > 0 else None

    def left(self, now: float) -> float | None:
        """Seconds to the end of the loop; None where its length or its speed is not known."""
        rates = self.rates(now)
        return max(self.total - self.steps, 0) / rates[0] if self.total and rates else None


def speeds(description: str) -> tuple[str, str]:
    """The names that samples a second and seconds a step are logged by.

    >>> speeds("train"), speeds("")
    (('train_samples_per_s', 'train_step_s'), ('samples_per_s', 'step_s'))
    """
    prefix = f"{description}_" if description else ""
    return f"{prefix}samples_per_s", f"{prefix}step_s"


def samples_in(batch: Any, depth: int = 3) -> int:
    """The size of a batch: the first axis of its first array or tensor; 0 where it has none.

    >>> import numpy as np
    >>> samples_in({"ids": [np.zeros((8, 3)), np.zeros(2)]}), samples_in("a text")
    (8, 0)
    """
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 0
    if depth and isinstance(batch, Mapping):
        return samples_in(next(iter(batch.values()), None), depth - 1)
    if depth and isinstance(batch, (list, tuple)):
        return next((size for part in islice(batch, 8) if (size := samples_in(part, depth - 1))), 0)
    return 0


class LastValues:
    """An outlet of a run's pipe that knows the last value of each name logged since it was added. Has no thread."""

    def __init__(self) -> None:
        self.name = "progress"
        self.values: dict[str, float] = {}
        """Replaced whole, never changed: any thread may read it."""

    def offer(self, batch: Any, path: object, end: int) -> None:
        """Take the last values of a batch."""
        found: dict[str, float] = {}
        for item in batch:
            found |= getattr(item, "values", {})
        if found:
            self.values = {**self.values, **found}

    def catch_up(self, path: object, end: int) -> None:
        """What was logged before is of no interest."""

    def ask(self) -> Answer:
        """Everything is known as soon as it is offered."""
        answer = Answer()
        answer.set()
        return answer

    def stop(self) -> None:
        """Nothing is held open."""

    def close(self, timeout: float) -> bool:
        """Nothing is held open."""
        return True

    def runs_in(self, thread: threading.Thread) -> bool:
        """It has no thread."""
        return False

    def status(self) -> dict[str, Any]:
        """Nothing can go wrong."""
        return dict(_WELL)
