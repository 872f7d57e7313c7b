from __future__ import annotations

import base64
import json
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger.records import Datum, Definition, End, Event, Item, MeterDef, PlotDef, Record, Scalars
from flexlogger.runs.format import DatumEntry, encode_datum, encode_values, seal
from flexlogger.runs.segment import SegmentReader, SegmentWriter, segments
from tests.runs.writing import record, same


def written(folder: Path, items: list[Item]) -> Path:
    writer = SegmentWriter(folder, "run")
    writer.append(items)
    writer.commit()
    writer.close()
    return writer.path


def example_items() -> list[Item]:
    matrix = np.arange(4, dtype=np.float32).reshape(2, 2)
    picture = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8)
    return [
        Definition(1.0, (PlotDef("loss"),), (MeterDef("a", "AverageValueMeter", "loss"),)),
        Record(0, 2.0, {"a": 0.1, "b": math.nan, "c": math.inf, "d": -math.inf}),
        Record(1.5, 3.0, {}, (Datum("m", "matrix", matrix),)),
        Record(2, 3.0, {}, (Datum("p", "images", picture),)),
        Record(2, 3.0, {}, (Datum("t", "text", "naïve\n\u2028 text"),)),
        Event(4.0, "drops", {"queue full": 3}),
        End(5.0),
    ]


@pytest.mark.parametrize("odd", ["ü/\u2028", 'a "quote"', "back\\slash", "line\n", "\x01", ""])
@pytest.mark.parametrize("value", [0.1, math.nan, math.inf, 1e308])
def test_many_scalars_at_once_are_written_as_a_dict_is(tmp_path: Path, odd: str, value: float) -> None:
    names = (*(f"layer_{n}.mean" for n in range(2000)), odd)
    array = np.linspace(-1e30, 1e-30, len(names))
    array[[7, 8]] = value
    many, plain = (Record(3, 2.0, Scalars(names, array)), Record(3, 2.0, dict(zip(names, array.tolist(), strict=True))))
    assert encode_values(5, many) == encode_values(5, plain)
    assert all(map(same, SegmentReader(written(tmp_path, [many, many])).read(), [plain, plain]))


def test_every_kind_of_item_comes_back_as_it_was(tmp_path: Path) -> None:
    items = example_items()
    reader = SegmentReader(written(tmp_path, items))
    back = reader.read()
    assert not reader.finish()
    assert len(back) == len(items)
    assert all(same(a, b) for a, b in zip(items, back, strict=True))
    assert reader.header is not None
    assert reader.header.run == "run"
    assert reader.header.pid == os.getpid()


def test_a_reader_in_ten_lines_of_plain_python_understands_the_log(tmp_path: Path) -> None:
    path = written(tmp_path, [Record(7, 1.0, {"loss": 0.25, "gn": math.nan}), *example_items()[2:3]])
    header, first, second = path.read_bytes().splitlines()
    for line in (header, first, second):
        body, checksum = line[:-16], json.loads(line)["c"]
        assert f"{zlib.crc32(body):08x}" == checksum
    assert json.loads(first)["v"] == {"loss": 0.25, "gn": "NaN"}
    entry = json.loads(second)["d"]
    assert struct.unpack("<4f", base64.b64decode(entry["data"])) == (0.0, 1.0, 2.0, 3.0)


def test_numbers_are_kept_at_full_resolution(tmp_path: Path) -> None:
    values = {"a": 0.1 + 0.2, "b": 5e-324, "c": 1.7976931348623157e308, "d": float(np.float32(0.7))}
    record = SegmentReader(written(tmp_path, [Record(0, 1763659872.1234567, values)])).read()[0]
    assert isinstance(record, Record)
    assert record.values == values
    assert record.time == 1763659872.1234567


def test_records_are_written_alike_together_and_one_by_one(tmp_path: Path) -> None:
    numbers = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 7.0, -0.0, math.nan, math.inf, -math.inf]
    names = ["a", "null", "b\n}", "ü", '"'] + [f"n{n}" for n in range(200)]
    records = [Record(n, n / 7, dict.fromkeys(names[: n * n % 205], numbers[n % 8])) for n in range(600)]
    together, alone = SegmentWriter(tmp_path, "run"), SegmentWriter(tmp_path, "run")
    together.append(records)
    for item in records:
        alone.append([item])
    for writer in (together, alone):
        writer.commit()
    assert together.path.read_bytes().split(b"\n")[1:] == alone.path.read_bytes().split(b"\n")[1:]
    back = SegmentReader(together.path).read(1 << 30)
    assert all(same(a, b) for a, b in zip(records, back, strict=True))


def test_a_line_that_is_still_being_written_waits_for_the_next_read(tmp_path: Path) -> None:
    path = written(tmp_path, [Record(n, 0.0, {"a": float(n)}) for n in range(3)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    reader = SegmentReader(path)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == [0, 1]
    path.write_bytes(whole)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == [2]
    assert not reader.finish()


def test_a_blob_is_stored_once_and_its_loss_is_counted(tmp_path: Path) -> None:
    big = np.random.default_rng(0).normal(size=(64, 64))
    records = [Record(n, 0.0, {}, (Datum("w", "matrix", big),)) for n in range(3)]
    path = written(tmp_path, [*records, Record(3, 0.0, {"a": 1.0})])
    blobs = [p for p in (tmp_path / "blobs").rglob("*") if p.is_file()]
    assert len(blobs) == 1
    blobs[0].write_bytes(b"x" * blobs[0].stat().st_size)
    reader = SegmentReader(path)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == [3]
    assert reader.finish().blobs == 3


@pytest.mark.parametrize(
    "entry",
    [
        DatumEntry("a", "vector", (2,), "no such type", data="AAAA"),
        DatumEntry("a", "vector", (2,), "O", data="AAAA"),
        DatumEntry("a", "vector", (7,), "<f8", data="AAAA"),
        DatumEntry("a", "vector", (2,), "<f8", data="not base64!"),
        DatumEntry("a", "vector", (2,), "<f8", digest="../../../../../../../../dev/zero"),
        DatumEntry("a", "image", (2, 2), "png", data="AAAA"),
    ],
)
def test_a_value_that_nobody_can_rebuild_is_counted(tmp_path: Path, entry: DatumEntry) -> None:
    path = written(tmp_path, [Record(0, 0.0, {"a": 1.0})])
    path.write_bytes(path.read_bytes() + encode_datum(1, Record(1, 1.0), entry) + encode_values(2, record(2)))
    reader = SegmentReader(path)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == [0, 2]
    assert str(reader.finish()) == "1 blobs"


def test_lines_of_a_kind_that_is_not_known_yet_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, [Record(0, 0.0, {"a": 1.0})])
    path.write_bytes(path.read_bytes() + seal(b'{"q":1,"t":1.0,"colour":"red"}') + encode_values(2, record(2)))
    reader = SegmentReader(path)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == [0, 2]
    assert not reader.finish()


def test_a_refusing_disk_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SegmentWriter(tmp_path, "run")
    writer.append([Record(n, 0.0, {"a": float(n)}) for n in range(100)])
    real, calls = os.write, 0

    def short_then_full(fd: int, data: Any) -> int:
        nonlocal calls
        calls += 1
        if calls % 2:
            return real(fd, bytes(data[:777]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", short_then_full)
    for _ in range(5):
        with pytest.raises(OSError, match="No space"):
            writer.commit()
    monkeypatch.undo()
    writer.commit()
    reader = SegmentReader(writer.path)
    assert [r.step for r in reader.read() if isinstance(r, Record)] == list(range(100))
    assert not reader.finish()


def test_a_run_that_logs_nothing_leaves_no_file(tmp_path: Path) -> None:
    SegmentWriter(tmp_path / "run", "run").close()
    assert not (tmp_path / "run").exists()


def test_where_fsync_is_asked_files_folders_and_blobs_are_synchronised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    times = iter([0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    writer = SegmentWriter(tmp_path, "run", fsync=2.0, clock=lambda: next(times))
    writer.append([Record(0, 0.0, {}, (Datum("w", "matrix", np.ones((64, 64))),))])
    (blob,) = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert [path.parent for path in synced] == [blob.parent, blob.parent.parent]
    synced.clear()
    writer.commit()
    assert synced == [tmp_path, writer.path]
    writer.close()
    assert synced[2:] == [writer.path]
    synced.clear()
    written(tmp_path, [Record(0, 0.0, {}, (Datum("w", "matrix", np.zeros((64, 64))),))])
    assert synced == []


def test_segments_are_listed_oldest_first(tmp_path: Path) -> None:
    times = iter([100.0, 100.0, 99.0, 99.0])
    first = SegmentWriter(tmp_path, "run", clock=lambda: next(times))
    second = SegmentWriter(tmp_path, "run", clock=lambda: next(times))
    for writer in (first, second):
        writer.append([End(0.0)])
        writer.path.parent.mkdir(exist_ok=True)
        writer.path.touch()
    assert segments(tmp_path) == [second.path, first.path]
