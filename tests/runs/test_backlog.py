"""What a process reads back of its own log is what it wrote, whatever stands in it."""

from __future__ import annotations

import math
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from flexlogger.records import Datum, Definition, Event, Item, Record
from flexlogger.rows import Rows
from flexlogger.runs import backlog
from flexlogger.runs.backlog import read_back
from flexlogger.runs.segment import SegmentReader, SegmentWriter


def logged(folder: Path) -> Path:
    """Long runs of alike records, and everything else in between."""
    items: list[Item] = [Definition(0.0, (), ())]
    for epoch in range(20):
        items += [Record(n, n / 7, {"a": n / 3, "b": 1.0}) for n in range(500 * epoch, 500 * epoch + 500)]
        items.append(Record(500 * epoch, 1.0, {"test": 0.5}))
        items.append(Record(500 * epoch + 0.5, 1.0, {"c": math.nan, "d": math.inf} if epoch % 3 == 0 else {}))
        if epoch % 5 == 0:
            items.append(Record(7, 1.0, {"a": 1.0}, (Datum("m", "matrix", np.ones((2, 2))),)))
            items.append(Event(1.0, "status", {"x": 1}))
    writer = SegmentWriter(folder, "run")
    writer.append(items)
    writer.commit()
    writer.close()
    return writer.path


def everything(path: Path) -> list[Item]:
    reader = SegmentReader(path)
    return list(chain.from_iterable(iter(reader.read, [])))


@pytest.mark.parametrize("size", [200, 4096, 1 << 17])
def test_it_is_what_the_segments_reader_gives(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "READ_BYTES", size)
    path = logged(tmp_path)
    back = list(chain.from_iterable(read_back(path, 0, path.stat().st_size)))
    assert list(map(repr, back)) == list(map(repr, everything(path)))


def test_it_begins_and_ends_where_it_is_told(tmp_path: Path) -> None:
    path = logged(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    start, end = (sum(map(len, lines[:count])) for count in (101, 301))
    back = list(chain.from_iterable(read_back(path, start, end)))
    assert list(map(repr, back)) == list(map(repr, everything(path)[100:300]))


def test_records_of_the_same_names_come_in_columns(tmp_path: Path) -> None:
    path = logged(tmp_path)
    parts = list(read_back(path, 0, path.stat().st_size))
    assert sum(len(part) for part in parts if isinstance(part, Rows)) > 0.9 * sum(map(len, parts))


def test_a_log_that_was_cut_off_ends_early(tmp_path: Path) -> None:
    path = logged(tmp_path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    back = list(chain.from_iterable(read_back(path, 0, size)))
    assert list(map(repr, back)) == list(map(repr, everything(path)))
