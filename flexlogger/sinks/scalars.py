"""What of a record is a number, for views that draw curves only, and what of the rest they leave out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flexlogger import faults
from flexlogger.records import Datum, Definition, Item, Record, Step

MOST = 32
"""Entries up to which a vector is a curve an entry."""


class Numbers:
    """The scalars of records, and the entries of short vectors under the names of their labels.

    >>> import numpy as np
    >>> Numbers().of(Record(0, 0.0, {"loss": 0.5}, (Datum("recall", "vector", np.array([0.25, 1.0])),)))
    {'loss': 0.5, 'recall.0': 0.25, 'recall.1': 1.0}
    """

    def __init__(self) -> None:
        self._labels: dict[str, Sequence[str]] = {}

    def note(self, batch: Sequence[Item]) -> None:
        """Learn the labels that definitions give to the entries of vectors."""
        for item in batch:
            if isinstance(item, Definition):
                self._labels |= {meter.name: meter.labels for meter in item.meters if meter.labels}

    def of(self, record: Record) -> dict[str, float]:
        """All numbers of a record by name."""
        found = dict(record.values)
        for datum in record.data:
            if is_short(datum) and not isinstance(datum.value, str):
                labels = self._labels.get(datum.name, ())
                names = labels if len(labels) == len(datum.value) else range(len(datum.value))
                entries = zip(names, datum.value.tolist(), strict=True)
                found |= {f"{datum.name}.{name}": float(value) for name, value in entries}
        return found


def is_short(datum: Datum) -> bool:
    """True for a vector whose entries are numbers of their own."""
    return datum.kind == "vector" and len(datum.value) <= MOST


class LeftOut:
    """Counts by kind the values that a view has no place for, and tells of the first of each kind."""

    def __init__(self, view: str) -> None:
        self.counts: dict[str, int] = {}
        self._view = view

    def add(self, datum: Datum) -> None:
        """Count one value."""
        self.counts[datum.kind] = self.counts.get(datum.kind, 0) + 1
        if self.counts[datum.kind] == 1:
            told = "flexlogger: the %s view has no place for %r (%s); the log has it, and status() counts it"
            faults.log.warning(told, self._view, datum.name, datum.kind)


class WholeSteps:
    """Steps for a view that knows only whole ones: the others are rounded down, and the first such one is told."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._told = False

    def of(self, step: Step) -> int:
        """The step as that view has it."""
        whole = math.floor(step)
        if whole != step and not self._told:
            self._told = True
            faults.log.warning("flexlogger: the %s view has whole steps only; step %s is %s", self._view, step, whole)
        return whole
