"""What this process itself has logged, read back for a view that has fallen behind: fast, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from flexlogger.records import Item, Step
from flexlogger.rows import Rows, packed
from flexlogger.runs.segment import READ_BYTES, SegmentReader


class _Scalars(msgspec.Struct, gc=False):
    """A line of finite scalars; any other is not one of these."""

    s: Step
    t: float
    v: dict[str, float]


_decode_lines = msgspec.json.Decoder(_Scalars).decode_lines


def read_back(path: Path, start: int, end: int) -> Iterator[Sequence[Item]]:
    """The items from byte `start` of a segment to byte `end`, both between lines: `Rows` where there are records of the
    same names, else lists.

    Scalars are read without their checksums: this process wrote them a moment ago. Raises OSError.
    """
    while start < end:
        with path.open("rb") as file:
            file.seek(start)
            chunk = file.read(min(READ_BYTES, end - start))
            if b"\n" not in chunk:
                chunk += file.readline()  # one line longer than the chunk
        chunk = chunk[: chunk.rfind(b"\n") + 1]
        if not chunk:  # it was cut off
            return
        try:
            parts: Sequence[Sequence[Item]] = _rows(_decode_lines(chunk))
        except msgspec.MsgspecError:  # something else is among them
            parts = packed(SegmentReader(path, start).read(len(chunk), start + len(chunk)))
        yield from parts
        start += len(chunk)


def _rows(lines: Sequence[_Scalars]) -> list[Rows]:
    found = []
    for (names, whole), group in groupby(lines, lambda line: (tuple(line.v), type(line.s) is int)):
        same = list(group)
        steps = np.array([line.s for line in same], np.float64)
        times = np.array([line.t for line in same], np.float64)
        values = np.array([tuple(line.v.values()) for line in same], np.float64)
        found.append(Rows(names, steps, times, values.T, whole))
    return found
