"""What one step has collected, on its way from the training thread to whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import msgspec
import numpy as np

from flexlogger.model.statistics import ABS, BAD, COLUMNS, HIGH, LOW, M2, MEAN, SQUARE, N, Rows, merge
from flexlogger.readback import Copied

Array = np.ndarray[Any, Any]


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Of what a row is: when it came within the step, its keys, and whether it is of gradients of a scaled loss."""

    order: int
    keys: list[int]
    scaled: bool = False


class Marks:
    """Of what K rows are, as arrays of one entry for each key of each row: the key, which row, when that came, and
    whether it is `scaled`."""

    def __init__(self, keys: Array, at: Array, order: Array, scaled: Array) -> None:
        self.keys, self.at, self.order, self.scaled = keys, at, order, scaled

    @classmethod
    def of(cls, marks: Sequence[Mark]) -> Marks:
        """Those of some marks, one a row."""
        found = [(key, at, mark.order, mark.scaled) for at, mark in enumerate(marks) for key in mark.keys]
        keys, at, order, scaled = np.array(found, np.int64).reshape(-1, 4).T
        return cls(keys, at, order, scaled.astype(bool))

    @classmethod
    def joined(cls, parts: Sequence[tuple[Marks, int, int]]) -> Marks:
        """Those of several parts, each with its number of rows and how many others had come before it."""
        if len(parts) == 1:
            return parts[0][0]
        at = np.cumsum([0, *(rows for _, rows, _ in parts)])
        shifted = [(m.keys, m.at + a, m.order + before, m.scaled) for (m, _, before), a in zip(parts, at, strict=False)]
        return cls(*(np.concatenate(arrays) for arrays in zip(*shifted, strict=True)))

    def only(self, rows: Array) -> Marks:
        """Without those of rows for which `rows` (K,) says no."""
        if rows.all():
            return self
        there = rows[self.at]
        return Marks(*(array[there] for array in (self.keys, self.at, self.order, self.scaled)))

    @cached_property
    def unique(self) -> tuple[Array, Array, list[tuple[int, Array]]]:
        """Every key once; the first row of each; and of those that have several, their place and rows."""
        keys, first, counts = np.unique(self.keys, return_index=True, return_counts=True)
        several = [(int(at), self.at[self.keys == keys[at]]) for at in np.flatnonzero(counts > 1)]
        return keys, self.at[first], several


class Part(msgspec.Struct, frozen=True):
    """Rows that are made the same way: `rows()` gives (K, 9) of one row or more, and `marks()` of what they are."""

    marks: Callable[[], Marks]
    rows: Callable[[], Rows]
    before: int = 0
    """How many others had come when the marks' own order began."""


def made(marks: Sequence[Mark], rows: Rows) -> Part:
    """A part whose rows (K, 9) are there. Keys may be added to the marks until it is read."""
    return Part(partial(Marks.of, marks), partial(np.asarray, rows))


class Number(msgspec.Struct, frozen=True):
    """One number beside the rows: the value of an own statistic for some keys. `read()` gives it."""

    keys: list[int]
    name: str
    read: Callable[[], float]


class Bins(msgspec.Struct, frozen=True):
    """One histogram: `read()` gives (2, bins + 1)."""

    key: int
    scaled: bool
    read: Callable[[], Array]


class Collected(msgspec.Struct, frozen=True):
    """A step's rows by key, own statistics by key and name, histograms by key, all plain numbers."""

    keys: Array
    """(K,) whole numbers, each once."""
    rows: Rows
    own: dict[tuple[int, str], float]
    histograms: dict[int, Array]
    bad: tuple[int, ...] = ()
    """Keys with NaN or infinities, in the order in which they turned up."""
    skipped: bool = False
    """True where the optimizer left the step out because its gradients overflowed (a GradScaler finding its scale)."""


class Gathered:
    """Everything of one step, maybe still on its way from a device. `read` once `arrived`."""

    def __init__(
        self,
        parts: Sequence[Part],
        numbers: Sequence[Number],
        bins: Sequence[Bins],
        waits: Sequence[Copied],
        factor: Callable[[], float],
        skipped: Callable[[], float],
    ) -> None:
        self._parts, self._numbers, self._bins, self._waits = parts, numbers, bins, waits
        self._factor, self._skipped = factor, skipped

    def arrived(self) -> bool:
        """Whether `read` would not wait."""
        return all(copied.event is None or copied.event.query() for copied in self._waits)

    def wait(self) -> None:
        """Wait for the device."""
        for copied in self._waits:
            if copied.event is not None:
                copied.event.synchronize()  # type: ignore[attr-defined]  # an event of CUDA has it

    def read(self) -> Collected:
        """Make the numbers; any thread, once."""
        if not self._parts:
            return Collected(np.zeros(0, np.int64), np.zeros((0, len(COLUMNS))), {}, {})
        factor = self._factor()
        parts = [part.rows() for part in self._parts]
        rows = np.concatenate(parts)
        marks = Marks.joined([(p.marks(), len(of), p.before) for p, of in zip(self._parts, parts, strict=True)])
        marks = marks.only(rows[:, N] > 0)  # a layer that was not called
        if factor != 1.0:
            _unscale(rows, np.unique(marks.at[marks.scaled]), factor)
        bad = _bad(marks, rows)
        keys, first, several = marks.unique
        merged = rows[first]
        for at, of_key in several:
            merged[at] = merge(rows[of_key])
        histograms = {b.key: _unscaled(b.read(), factor if b.scaled else 1.0) for b in self._bins}
        return Collected(keys, merged, _averages(self._numbers), histograms, bad, bool(self._skipped()))


_TELLING = (MEAN, LOW, HIGH)
"""The columns that are not finite where an entry is not; sums of squares may also be too large, as a device has them in
float32."""


def _bad(marks: Marks, rows: Rows) -> tuple[int, ...]:
    """The keys of rows that are not finite, in the order in which they came."""
    failed = ~np.isfinite(rows[:, _TELLING]).all(1) | (rows[:, BAD] > 0)
    if not failed.any():
        return ()
    entries = np.flatnonzero(failed[marks.at])
    keys, order = marks.keys[entries], marks.order[entries]
    return tuple(dict.fromkeys(keys[np.lexsort((keys, order))].tolist()))


def _unscale(rows: Rows, scaled: Array, factor: float) -> None:
    for column in (MEAN, LOW, HIGH, ABS):
        rows[scaled, column] /= factor
    for column in (M2, SQUARE):
        rows[scaled, column] /= factor**2


def _unscaled(bins: Array, factor: float) -> Array:
    bins[0] /= factor
    return bins


def _averages(numbers: Sequence[Number]) -> dict[tuple[int, str], float]:
    """Own statistics of several tensors of one key: their mean."""
    found: dict[tuple[int, str], list[float]] = {}
    for number in numbers:
        value = number.read()
        for key in number.keys:
            found.setdefault((key, number.name), []).append(value)
    return {key: sum(values) / len(values) for key, values in found.items()}
