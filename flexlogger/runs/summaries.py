"""What a run came to: one entry a name, by the rules of `define_metric`. Cheap, whatever is logged."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexlogger import faults
from flexlogger.records import Event, Item, Record
from flexlogger.rows import Rows
from flexlogger.runs.format import plain
from flexlogger.runs.secrets import hide

Floats = NDArray[np.float64]

MAX_NAMES = 10_000
"""Names summarised in all; more are only logged."""

WAYS = ("min", "max", "mean", "last", "best", "first", "none")


class _Column:
    """What is known of all values of one name. Non-finite values count for `first` and `last` only."""

    __slots__ = ("count", "first", "highest", "last", "lowest", "mean")

    def __init__(self, first: float) -> None:
        self.first = self.last = first
        self.lowest, self.highest, self.mean, self.count = math.inf, -math.inf, 0.0, 0

    def add(self, last: float, lowest: float, highest: float, mean: float, count: int) -> None:
        self.last = last
        if count:
            self.lowest, self.highest = min(self.lowest, lowest), max(self.highest, highest)
            self.count += count
            self.mean += (mean - self.mean) * (count / self.count)

    def told(self, way: str, maximize: bool) -> float:
        if way in ("first", "last"):
            return self.first if way == "first" else self.last
        if not self.count:
            return math.nan
        if way == "mean":
            return self.mean
        return self.highest if way == "max" or (way == "best" and maximize) else self.lowest


class _Rows:
    """Values of records by the names that a record has, so that they become arrays."""

    def __init__(self) -> None:
        self.newest_last: dict[tuple[str, ...], None] = {}
        self._groups: dict[tuple[str, ...], list[Mapping[str, float]]] = {}  # in the order of their first records
        self._latest: tuple[str, ...] = ()

    def add(self, values: Mapping[str, float]) -> None:
        names = tuple(values)
        if names != self._latest:
            self._latest = names
            self.newest_last.pop(names, None)
            self.newest_last[names] = None
            self._groups.setdefault(names, [])
        self._groups[names].append(values)

    def blocks(self) -> dict[tuple[str, ...], Floats]:
        """For each group an array: a row a record, a column a name."""
        blocks = {}
        for names, group in self._groups.items():
            with suppress(ValueError, TypeError, OverflowError):  # an odd value in a log that others have written
                blocks[names] = np.array([tuple(values.values()) for values in group], np.float64)
        return blocks


class Summary:
    """Fed with a run's items, tells what it came to. Order of rules and values does not matter.

    Without a rule a name's entry is its last value. With one it is an object: `{"min": 0.1, "last": 0.3}`; `none`
    leaves the name out. `best` is the lowest value, or the highest with goal `maximize`. NaN and infinite values are
    never lowest, highest, best or in the mean.

    A rule for the exact name goes before a glob, a glob with more literal characters before one with fewer, a later
    rule before an earlier one. What the user set by hand goes before everything that was logged.

    >>> summary = Summary()
    >>> summary.write([Event(0.0, "metric", {"name": "val_*", "summary": ["min"]})])
    >>> summary.write([Record(0, 0.0, {"loss": 2.0, "val_loss": 3.0}), Record(1, 0.0, {"loss": 1.0, "val_loss": 4.0})])
    >>> summary.as_dict()
    {'loss': 1.0, 'val_loss': {'min': 3.0}}
    """

    def __init__(self) -> None:
        self.rules: list[dict[str, Any]] = []
        """The rules in force, in the order in which they were given."""
        self.set: dict[str, Any] = {}
        """What the user set by hand, without secrets."""
        self._columns: dict[str, _Column] = {}
        self._full = False

    def write(self, items: Iterable[Item]) -> None:
        """Take items in log order."""
        if isinstance(items, Rows):
            self._block(items.names, items.columns.T)
            return
        rows = _Rows()
        for item in items:
            if type(item) is Record:
                if item.values:
                    rows.add(item.values)
            elif isinstance(item, Event) and item.kind in ("metric", "summary"):
                self._take(rows)
                rows = _Rows()
                self._told(item)
        self._take(rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data, names in the order in which they were first seen; non-finite numbers are strings."""
        found = {name: self._entry(name, column) for name, column in self._columns.items()}
        return plain({**{name: entry for name, entry in found.items() if entry is not None}, **self.set})  # type: ignore[no-any-return]

    def _entry(self, name: str, column: _Column) -> Any:
        rule = self._rule(name)
        ways = rule.get("summary") if rule is not None else None
        if not ways:
            return column.last
        if "none" in ways:
            return None
        maximize = rule is not None and rule.get("goal") == "maximize"
        return {way: column.told(way, maximize) for way in WAYS if way in ways}

    def _rule(self, name: str) -> dict[str, Any] | None:
        if not self.rules:
            return None  # thousands of names, again and again
        fitting = [rule for rule in self.rules if fits(rule["name"], name)]
        return max(reversed(fitting), key=lambda rule: specific(rule["name"], name), default=None)

    # ---- what comes in

    def _told(self, event: Event) -> None:
        if event.kind == "metric":
            rule = {**event.info, "name": str(event.info.get("name", "*"))}
            self.rules = [known for known in self.rules if known["name"] != rule["name"]] + [rule]
            return
        for key in event.info.get("delete", ()):
            self.set.pop(key, None)
            self._columns.pop(key, None)
        self.set.update(hide(event.info.get("set", {})))

    def _take(self, rows: _Rows) -> None:
        blocks = rows.blocks()
        for names, block in blocks.items():
            self._meet_all(names, block)
        for names in rows.newest_last:
            if names in blocks:
                self._add(names, blocks[names])

    def _block(self, names: tuple[str, ...], block: Floats) -> None:
        """Take values (K, N) of K records with the same N names."""
        self._meet_all(names, block)
        self._add(names, block)

    def _meet_all(self, names: tuple[str, ...], block: Floats) -> None:
        for name, first in zip(names, block[0].tolist(), strict=True):
            self._meet(name, first)

    def _meet(self, name: str, first: float) -> None:
        if name not in self._columns:
            if len(self._columns) < MAX_NAMES:
                self._columns[name] = _Column(first)
            else:
                self._tell_full()

    def _add(self, names: tuple[str, ...], block: Floats) -> None:
        finite = np.isfinite(block)
        counts = finite.sum(0)
        lowest = np.where(finite, block, np.inf).min(0)
        highest = np.where(finite, block, -np.inf).max(0)
        means = (np.where(finite, block, 0.0) / np.maximum(counts, 1)).sum(0)  # divided first: no sum overflows
        columns = zip(names, *(a.tolist() for a in (block[-1], lowest, highest, means, counts)), strict=True)
        for name, *numbers in columns:
            if name in self._columns:
                self._columns[name].add(*numbers)

    def _tell_full(self) -> None:
        if not self._full:
            self._full = True
            faults.log.warning("flexlogger: more than %d names: those beyond are not in the summary", MAX_NAMES)


def fits(glob: str, name: str) -> bool:
    """True where a rule for `glob` is one for `name`; case matters, and a name fits itself whatever is in it.

    >>> fits("val_*", "val_loss"), fits("a[0]", "a[0]"), fits("val_*", "loss")
    (True, True, False)
    """
    return glob == name or fnmatch.fnmatchcase(name, glob)


def specific(glob: str, name: str) -> tuple[bool, int]:
    """How closely a glob describes a name that it fits: the name itself, then the more literal characters.

    >>> specific("*", "val_loss") < specific("val_*", "val_loss") < specific("val_loss", "val_loss")
    True
    """
    return glob == name, len(glob) - sum(glob.count(wildcard) for wildcard in "*?[]")
