"""Segments written by hand, and items compared by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flexlogger.records import Item, Record
from flexlogger.runs.segment import SegmentWriter
from flexlogger.runs.tail import Tail


def write_segment(folder: Path, items: Sequence[Item], *, start: float = 0.0, **header: Any) -> Path:
    """One process's segment, begun at `start` and closed."""
    writer = begin_segment(folder, start=start, **header)
    writer.append(items)
    writer.commit()
    writer.close()
    return writer.path


def begin_segment(folder: Path, *, start: float = 0.0, clock: Callable[[], float] | None = None, **header: Any) -> Any:
    return SegmentWriter(folder, "run", clock=clock or (lambda: start), **header)


def record(step: float, time: float | None = None, **values: float) -> Record:
    """A record of `a` = its step, at the time of its step."""
    return Record(step, float(step) if time is None else time, values or {"a": float(step)})


def drained(tail: Tail) -> list[Item]:
    return [item for batch in tail.read() for item in batch.items]


def steps(items: Sequence[Item]) -> list[float]:
    return [item.step for item in items if isinstance(item, Record)]


def same(a: Item, b: Item) -> bool:
    """Equal, with NaN equal to NaN and arrays compared by their content."""
    if not (isinstance(a, Record) and isinstance(b, Record)):
        return a == b
    numbers = a.values.keys() == b.values.keys() and all(
        x == b.values[name] or (x != x and b.values[name] != b.values[name]) for name, x in a.values.items()
    )
    data = len(a.data) == len(b.data) and all(
        (x.name, x.kind) == (y.name, y.kind) and np.array_equal(x.value, y.value)
        for x, y in zip(a.data, b.data, strict=True)
    )
    return (a.step, a.time) == (b.step, b.time) and numbers and data
