"""From snapshots to a record, on the pipe's worker."""

from __future__ import annotations

import numpy as np

from flexlogger.model.plan import Label
from flexlogger.model.snapshot import Snapshot
from flexlogger.model.statistics import Rows
from flexlogger.model.windows import Windows
from flexlogger.records import Datum, Record, Scalars, Step

MOST_WAITING = 16
"""Snapshots kept as they are; the numbers of older ones are added up."""


class Averages:
    """What was collected since the last log: means over the steps; least of min, largest of max, latest histograms."""

    def __init__(self) -> None:
        self._waiting: list[Snapshot] = []
        self._sums: dict[Label, list[float]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._sums)

    def add(self, snapshot: Snapshot) -> None:
        """Take another step."""
        self._waiting.append(snapshot)
        while len(self._waiting) > MOST_WAITING and self._waiting[0].arrived():
            self._fold(self._waiting.pop(0))

    def arrived(self) -> bool:
        """True once nothing waits for a device."""
        return all(snapshot.arrived() for snapshot in self._waiting)

    @property
    def latest(self) -> Snapshot:
        """The latest step."""
        return self._waiting[-1]

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(snapshot.nbytes for snapshot in self._waiting)

    def numbers(self) -> tuple[list[Label], Rows]:
        """The numbers (N,), and of what they are."""
        if len(self._waiting) == 1 and not self._sums:
            return self._waiting[0].numbers()
        while self._waiting:
            self._fold(self._waiting.pop(0))
        return list(self._sums), np.array([_joined(label[2], *sums) for label, sums in self._sums.items()])

    def _fold(self, snapshot: Snapshot) -> None:
        labels, values = snapshot.numbers()
        for label, value in zip(labels, values.tolist(), strict=True):
            sums = self._sums.setdefault(label, [0, 0.0, np.inf, -np.inf])
            sums[0] += 1
            sums[1] += value
            sums[2], sums[3] = min(sums[2], value), max(sums[3], value)


def _joined(stat: str, n: float, total: float, low: float, high: float) -> float:
    if stat in ("min", "max") and total == total:
        return low if stat == "min" else high
    return total / n


class SnapshotRecord:
    """A record whose numbers are worked out when they have left their device. `extra` are numbers that are known."""

    def __init__(self, averages: Averages, windows: Windows, step: Step, extra: dict[str, float]) -> None:
        self._averages, self._windows, self._step, self._extra = averages, windows, step, extra
        self.size = averages.size
        """Bytes held."""

    def arrived(self) -> bool:
        """True once `record` need not wait."""
        return self._averages.arrived()

    def record(self) -> Record:
        """The record."""
        latest = self._averages.latest
        data = []
        for (row, source), histogram in latest.histograms().items():
            histogram.flags.writeable = False
            data.append(Datum(self._windows.histogram(row, source), "histogram", histogram))
        labels, values = self._averages.numbers()
        names = self._windows.names(labels) + tuple(self._extra)
        scalars = Scalars(names, np.append(values, list(self._extra.values())))
        return Record(self._step, latest.time, scalars, tuple(data))
