"""What one step has collected, on its way from the training thread to whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


class Part(msgspec.Struct, frozen=True):
    """Rows that are made the same way: `rows()` gives (K, 9) for the K `marks()`."""

    marks: Callable[[], Sequence[Mark]]
    rows: Callable[[], Rows]


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
        lease: Any,
        nbytes: int,
    ) -> None:
        self._parts, self._numbers, self._bins, self._waits = parts, numbers, bins, waits
        self._factor, self._skipped = factor, skipped
        self._lease = lease  # whose end gives the buffers back
        self.nbytes = nbytes
        """Memory held until it is read."""

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
        factor = self._factor()
        marks = [mark for part in self._parts for mark in part.marks()]
        parts = [part.rows() for part in self._parts]
        rows = np.concatenate(parts) if parts else np.zeros((0, len(COLUMNS)))
        if not rows[:, N].all():  # rows of nothing: a layer that was not called
            marks = [mark for mark, n in zip(marks, rows[:, N], strict=True) if n]
            rows = rows[rows[:, N] > 0]
        if factor != 1.0:
            _unscale(rows, np.array([mark.scaled for mark in marks], bool), factor)
        failed = np.flatnonzero(~np.isfinite(rows).all(1) | (rows[:, BAD] > 0))
        bad = sorted((marks[at].order, key) for at in failed for key in marks[at].keys)
        keys, rows = _by_key(marks, rows)
        histograms = {b.key: _unscaled(b.read(), factor if b.scaled else 1.0) for b in self._bins}
        own = _averages(self._numbers)
        self._lease = None
        return Collected(
            keys, rows, own, histograms, tuple(dict.fromkeys(key for _, key in bad)), bool(self._skipped())
        )


def _unscale(rows: Rows, scaled: Array, factor: float) -> None:
    for column in (MEAN, LOW, HIGH, ABS):
        rows[scaled, column] /= factor
    for column in (M2, SQUARE):
        rows[scaled, column] /= factor**2


def _unscaled(bins: Array, factor: float) -> Array:
    bins[0] /= factor
    return bins


def _by_key(marks: Sequence[Mark], rows: Rows) -> tuple[Array, Rows]:
    """One row a key: those that several tensors share are merged."""
    keys = [key for mark in marks for key in mark.keys]
    if len(keys) != len(marks):
        rows = rows[[at for at, mark in enumerate(marks) for _ in mark.keys]]
    unique, first, counts = np.unique(np.array(keys, np.int64), return_index=True, return_counts=True)
    if len(unique) < len(keys):
        where = np.array(keys)
        merged = rows[first]
        for at in np.flatnonzero(counts > 1):
            merged[at] = merge(rows[where == unique[at]])
        return unique, merged
    return unique, rows[first]


def _averages(numbers: Sequence[Number]) -> dict[tuple[int, str], float]:
    """Own statistics of several tensors of one key: their mean."""
    found: dict[tuple[int, str], list[float]] = {}
    for number in numbers:
        value = number.read()
        for key in number.keys:
            found.setdefault((key, number.name), []).append(value)
    return {key: sum(values) / len(values) for key, values in found.items()}
