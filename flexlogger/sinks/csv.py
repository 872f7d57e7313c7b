"""Scalars as a table that every program reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from flexlogger.records import Item, Record
from flexlogger.sinks.ownfile import OwnFile
from flexlogger.sinks.scalars import LeftOut, Numbers, is_short


class CsvSink:
    """Keeps a CSV file: a row a record (`step`, `time` in unix seconds), a column a name, in the order they came in.

    A cell is empty where a record has no such value; numbers read back exactly, `nan` and `inf` among them. A name that
    turns up later becomes a further column of all rows. The file is written anew when the run is taken up again.
    """

    def __init__(self, path: Path) -> None:
        self._file = OwnFile(path)
        self._columns: list[str] = []
        self._head = 0  # bytes of the first line
        self._numbers = Numbers()
        self._left_out = LeftOut("csv")
        self.left_out = self._left_out.counts

    def write(self, batch: Sequence[Item]) -> None:
        """Append a row for each record that has numbers."""
        self._numbers.note(batch)
        records = [item for item in batch if isinstance(item, Record)]
        rows = [(record, values) for record in records if (values := self._numbers.of(record))]
        self._widen(name for _, values in rows for name in values)
        cells = ([r.step, r.time, *(values.get(name, "") for name in self._columns)] for r, values in rows)
        self._file.append(_lines(cells))
        for record in records:
            for datum in record.data:
                if not is_short(datum):
                    self._left_out.add(datum)

    def _widen(self, names: Iterable[str]) -> None:
        """Have a column for each name."""
        columns = [*dict.fromkeys((*self._columns, *names))]
        more = len(columns) - len(self._columns)
        if not more:
            return
        head = _lines([["step", "time", *columns]])
        if self._columns:
            self._file.rewrite(lambda old: _widened(old, self._head, head, b"," * more))
        else:
            self._file.append(head)
        self._columns, self._head = columns, len(head)

    def flush(self) -> None:
        """Everything written is in the file."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _widened(old: BinaryIO, rows: int, head: bytes, cells: bytes) -> Iterator[bytes]:
    """The table with another head and empty cells at the end of its rows, which begin at byte `rows`."""
    old.seek(rows)
    yield head
    for line in old:  # numbers only: no cell holds a line break
        yield line[:-1] + cells + b"\n"


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
