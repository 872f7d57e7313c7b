"""Many records of the same names as columns: a tenth of the memory, and arithmetic on all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import cast, overload

import numpy as np
from numpy.typing import NDArray

from flexlogger.records import ITEM_BYTES, Item, Record, Scalars, Step, weight

Floats = NDArray[np.float64]

LEAST = 32
"""Records that are worth columns, …"""
WIDE = 1024
"""… or scalars of fewer of them."""
EXACT = 2**53
"""Whole numbers below this are themselves as float64."""


class Rows(Sequence[Record]):
    """Consecutive records of scalars under the same `names`; as a sequence it is those records.

    `steps` and `times` are (K,), `columns` (N, K) for N names, all float64. `whole` says that the steps are ints.

    >>> rows = Rows.of([Record(0, 0.5, {"loss": 2.0}), Record(1, 0.75, {"loss": 1.0})], ("loss",))
    >>> rows.columns.tolist(), rows[-1].step
    ([[2.0, 1.0]], 1)
    """

    __slots__ = ("columns", "names", "steps", "times", "whole")

    def __init__(self, names: tuple[str, ...], steps: Floats, times: Floats, columns: Floats, whole: bool) -> None:
        self.names = names
        self.steps = steps
        self.times = times
        self.columns = columns
        self.whole = whole

    @classmethod
    def of(cls, records: Sequence[Record], names: tuple[str, ...]) -> Rows:
        """The columns of records that all have these names, in this order. Raises ValueError, TypeError or
        OverflowError where something in them is not a number."""
        steps = [record.step for record in records]
        return cls(
            names,
            np.array(steps, np.float64),
            np.array([record.time for record in records], np.float64),
            _columns([record.values for record in records]),
            set(map(type, steps)) == {int},
        )

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """One behind the other; their names are the same, and all of them are `whole` or none."""
        if len(parts) == 1:
            return parts[0]
        steps, times = (np.concatenate([getattr(part, of) for part in parts]) for of in ("steps", "times"))
        columns = np.concatenate([part.columns for part in parts], axis=1)
        return cls(parts[0].names, steps, times, columns, parts[0].whole)

    def fits(self, other: object) -> bool:
        """Whether another may be joined to it."""
        return isinstance(other, Rows) and (self.names, self.whole) == (other.names, other.whole)

    def step(self, at: int) -> Step:
        """The step of one record, an int where it was one."""
        step = float(self.steps[at])
        return int(step) if self.whole else step

    @property
    def highest(self) -> Step:
        """The highest step."""
        return self.step(int(self.steps.argmax()))

    @property
    def nbytes(self) -> int:
        """Memory held by the columns."""
        return self.steps.nbytes + self.times.nbytes + self.columns.nbytes

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | Sequence[Record]:
        if isinstance(at, slice):
            return Rows(self.names, self.steps[at], self.times[at], self.columns[:, at], self.whole)
        values = dict(zip(self.names, self.columns[:, at].tolist(), strict=True))
        return Record(self.step(at), float(self.times[at]), values)

    def __iter__(self) -> Iterator[Record]:
        steps = (self.steps.astype(np.int64) if self.whole else self.steps).tolist()
        for step, time, values in zip(steps, self.times.tolist(), self.columns.T.tolist(), strict=True):
            yield Record(step, time, dict(zip(self.names, values, strict=True)))


def _columns(records: Sequence[Mapping[str, float]]) -> Floats:
    """(N, K) of K records with the same N names in the same order."""
    arrays = [values.array for values in records if type(values) is Scalars]
    if len(arrays) == len(records):
        return np.stack(arrays, axis=1)
    count, wide = len(records), len(records[0])
    flat = chain.from_iterable([values.values() for values in records])
    return np.fromiter(flat, np.float64, count * wide).reshape(count, wide).T


class Packed(Sequence[Item]):
    """A batch in `parts`, each `Rows` or a list of what is not worth them; as a sequence it is the batch.

    >>> items = [Record(step, 0.0, {"loss": 0.5}) for step in range(100)]
    >>> [type(part).__name__ for part in Packed(items).parts], list(Packed(items)) == items
    (['Rows'], True)
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.parts = packed(items)
        self._length = len(items)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        return list(self)[at]

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self.parts)


def packed(items: Sequence[Item]) -> list[Sequence[Item]]:
    """The same in order, as `Rows` wherever enough records of the same names follow each other, else in lists."""
    parts: list[Sequence[Item]] = []
    keys = [_names(item) if type(item) is Record and not item.data else None for item in items]
    start = 0
    for names, group in groupby(keys):
        end = start + sum(1 for _ in group)
        part: Sequence[Item] = items[start:end]
        worth = names and (len(part) >= LEAST or len(part) * len(names) >= WIDE)
        rows = _rows(cast(Sequence[Record], part), names or ()) if worth else None
        if rows is not None:
            parts.append(rows)
        elif parts and isinstance(parts[-1], list):
            parts[-1].extend(part)
        else:
            parts.append(list(part))
        start = end
    return parts


def _names(record: Record) -> tuple[str, ...]:
    values = record.values
    return values.names if type(values) is Scalars else tuple(values)


def _rows(records: Sequence[Record], names: tuple[str, ...]) -> Rows | None:
    """Columns that give the very same records back; None where there are none."""
    steps = [record.step for record in records]
    values = chain.from_iterable([record.values.values() for record in records if type(record.values) is not Scalars])
    kinds = set(map(type, steps))
    if set(map(type, values)) - {float} or kinds not in ({int}, {float}):
        return None
    if kinds == {int} and max(max(steps), -min(steps)) >= EXACT:
        return None
    try:
        return Rows.of(records, names)
    except (ValueError, TypeError, OverflowError):  # a time that is none
        return None


def held(part: Sequence[Item]) -> int:
    """Bytes of memory that a part of a batch holds."""
    return part.nbytes if isinstance(part, Rows) else ITEM_BYTES * len(part) + sum(map(weight, part))
