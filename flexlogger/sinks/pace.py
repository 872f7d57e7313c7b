"""How fast a run goes, and when it will be done."""

from __future__ import annotations

from collections import deque

from flexlogger.records import Step

SAMPLES = 64
SPACING_S = 0.5
"""Samples are at least this far apart: the rate is that of the last half minute, or of the last 63 records of a run
that logs seldom."""
SILENCE_S = 10.0
"""Silence is worth a word after so long, and after three times the usual pause."""


class Pace:
    """Steps and the times they were recorded at. `total` is the number of steps a run will have, `epoch` that of one
    epoch.

    >>> pace = Pace(total=100)
    >>> for step in range(10):
    ...     pace.add(step, 2.0 * step)
    >>> pace.rate, pace.share, pace.left
    (0.5, 0.1, 180.0)
    """

    def __init__(self, total: float | None = None, epoch: float | None = None) -> None:
        self.total = total
        self.epoch = epoch
        self.step: Step | None = None
        """The highest step so far."""
        self.time = 0.0
        self._from_zero = 0
        self._samples: deque[tuple[float, Step]] = deque(maxlen=SAMPLES)

    def add(self, step: Step, time: float) -> None:
        """Take in a record; one with an earlier step only tells that the run lives."""
        self.time = max(self.time, time)
        if step == 0:
            self._from_zero = 1
        if self.step is not None and step <= self.step:
            return
        self.step = step
        if len(self._samples) > 1 and time - self._samples[-2][0] < SPACING_S:
            self._samples.pop()
        self._samples.append((time, step))

    def restart(self) -> None:
        """Forget the speed: between what came before and what comes now the run did not run."""
        self._samples.clear()

    @property
    def rate(self) -> float | None:
        """Steps a second; None where it is not known yet."""
        if len(self._samples) < 2:
            return None
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end > start else None

    @property
    def done(self) -> float:
        """Steps done: the highest one, and one more where they are counted from 0."""
        return (self.step or 0) + self._from_zero

    @property
    def share(self) -> float | None:
        """The part of the run that is done, 0 to 1; None where its total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def left(self) -> float | None:
        """Seconds to the end of the run; None where its total or its rate is not known."""
        return max(self.total - self.done, 0.0) / self.rate if self.total and self.rate else None

    @property
    def in_epoch(self) -> tuple[int, float, float | None] | None:
        """The number of the epoch from 1, the part of it that is done, and the seconds to its end; None where the
        length of an epoch is not known."""
        if not self.epoch:
            return None
        number, done = divmod(self.done, self.epoch)
        if not done and number:  # its last step is done
            number, done = number - 1, self.epoch
        return int(number) + 1, done / self.epoch, (self.epoch - done) / self.rate if self.rate else None

    def silent(self, now: float) -> float | None:
        """Seconds since the last record where that is remarkable, else None."""
        silence = now - self.time
        usual = 1 / self.rate if self.rate else 0.0
        return silence if self.time and silence > max(SILENCE_S, 3 * usual) else None


def duration(seconds: float) -> str:
    """A time as a person says it.

    >>> [duration(s) for s in (0.00042, 0.031, 1.4, 42, 600, 9000, 300000)]
    ['0.42 ms', '31 ms', '1.4 s', '42 s', '10 min', '2.5 h', '3.5 d']
    """
    units = (("ms", 1e-3, 1.0), ("s", 1.0, 120.0), ("min", 60.0, 7200.0), ("h", 3600.0, 172800.0))
    unit, size = next(((unit, size) for unit, size, limit in units if seconds < limit), ("d", 86400.0))
    amount = seconds / size
    return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.2g} {unit}"
