"""From snapshots to a record, on the pipe's worker."""

from __future__ import annotations

import numpy as np

from flexlogger.model.plan import Label
from flexlogger.model.snapshot import Snapshot
from flexlogger.model.windows import Windows
from flexlogger.records import Datum, Record, Step

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

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(0 if snapshot.known else snapshot.nbytes for snapshot in self._waiting)

    def arrived(self) -> bool:
        """True once nothing waits for a device."""
        return all(snapshot.arrived() for snapshot in self._waiting)

    def settle(self) -> None:
        """Work out what has arrived, so that it holds no buffers any more."""
        for snapshot in self._waiting:
            if snapshot.arrived():
                _ = snapshot.collected

    @property
    def latest(self) -> Snapshot:
        """The latest step."""
        return self._waiting[-1]

    def values(self, windows: Windows) -> dict[str, float]:
        """The numbers, under their names."""
        if len(self._waiting) == 1 and not self._sums:
            labels, values = self._waiting[0].numbers()
            return dict(zip(windows.names(labels), values, strict=True))
        while self._waiting:
            self._fold(self._waiting.pop(0))
        names = windows.names(list(self._sums))
        return {name: _joined(label[2], *sums) for name, (label, sums) in zip(names, self._sums.items(), strict=True)}

    def _fold(self, snapshot: Snapshot) -> None:
        for label, value in zip(*snapshot.numbers(), strict=True):
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
        """Bytes held when it was made; `settle` makes them less."""

    def settle(self) -> None:
        """Work the numbers out now, so that no buffers wait."""
        self._averages.settle()
        self.size = self._averages.size

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
        return Record(self._step, latest.time, self._averages.values(self._windows) | self._extra, tuple(data))
