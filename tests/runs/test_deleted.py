"""A run's files taken away while it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from flexlogger.records import Datum, Definition, End, Event, PlotDef, Record
from flexlogger.runs.segment import SegmentWriter, segments
from flexlogger.runs.tail import Tail
from tests.runs.writing import drained, record, steps


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(tmp_path: Path, clock: Clock) -> SegmentWriter:
    return SegmentWriter(tmp_path / "run", "run", clock=clock)


def put(writer: SegmentWriter, clock: Clock, *steps: int) -> None:
    """Write records, a second after the last ones: it is looked once a second whether the file is there."""
    clock.now += 1
    writer.append([record(step) for step in steps])
    writer.commit()


def test_a_folder_deleted_while_it_is_written_is_made_again(
    writer: SegmentWriter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    definition = Definition(0.0, (PlotDef("loss"),), ())
    run = Event(0.0, "run", {"id": "run"})
    writer.append([run, Event(0.0, "config", {"set": {"lr": 1}}), Event(0.0, "config", {"set": {"lr": 2}}), definition])
    put(writer, clock, 0, 1)
    shutil.rmtree(writer.run_dir)
    put(writer, clock, 2)
    put(writer, clock, 3)
    writer.close()
    tail = Tail(writer.run_dir, tell=lambda message: None)
    assert drained(tail) == [run, Event(0.0, "config", {"set": {"lr": 2}}), definition, record(3)]
    assert writer.lost == tail.damage.missing == 7
    assert [record.getMessage() for record in caplog.records] == [
        f"flexlogger: {writer.path} was deleted while it was written, with 7 lines; a new file in its place takes "
        "what comes"
    ]


def test_every_deletion_is_counted(writer: SegmentWriter, clock: Clock) -> None:
    for step in range(0, 9, 3):
        put(writer, clock, step)
        writer.path.unlink()
        put(writer, clock, step + 1)
        put(writer, clock, step + 2)
    writer.close()
    tail = Tail(writer.run_dir, tell=lambda message: None)
    assert steps(drained(tail)) == [8]
    assert writer.lost == tail.damage.missing == 8


def test_a_disk_that_refuses_the_new_file_is_tried_again(writer: SegmentWriter, clock: Clock, tmp_path: Path) -> None:
    put(writer, clock, 0)
    shutil.rmtree(writer.run_dir)
    writer.run_dir.touch()  # a file where the folder has to be
    clock.now += 1
    writer.append([record(1)])
    with pytest.raises(OSError, match="exists"):
        writer.commit()
    writer.append([record(2)])
    with pytest.raises(OSError, match="exists"):
        writer.commit()
    writer.run_dir.unlink()
    writer.commit()
    writer.append([record(3), End(9.0)])
    writer.commit()
    writer.close()
    assert drained(Tail(writer.run_dir, tell=lambda message: None)) == [record(2), record(3), End(9.0)]
    assert writer.lost == 2


def test_a_file_that_was_moved_away_loses_nothing(
    writer: SegmentWriter, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(writer, clock, 0)
    moved = tmp_path / "moved"
    writer.run_dir.rename(moved)
    put(writer, clock, 1)
    put(writer, clock, 2)
    writer.close()
    assert steps(drained(Tail(moved))) == [0, 1]
    assert steps(drained(Tail(writer.run_dir, tell=lambda message: None))) == [2]
    assert writer.lost == 0
    assert "was moved while it was written; a new" in caplog.text


def test_a_copy_put_back_in_its_place_is_left_alone(writer: SegmentWriter, clock: Clock, tmp_path: Path) -> None:
    put(writer, clock, 0)
    shutil.copytree(writer.run_dir, tmp_path / "copy")
    shutil.rmtree(writer.run_dir)
    (tmp_path / "copy").rename(writer.run_dir)
    put(writer, clock, 1)
    put(writer, clock, 2)
    writer.close()
    assert len(segments(writer.run_dir)) == 2
    assert steps(drained(Tail(writer.run_dir, tell=lambda message: None))) == [0, 2]


def test_blobs_of_a_deleted_folder_are_written_again(writer: SegmentWriter, clock: Clock) -> None:
    large = Datum("w", "matrix", np.arange(4096.0).reshape(64, 64))
    for step in range(3):
        clock.now += 1
        writer.append([Record(step, 0.0, {}, (large,))])
        writer.commit()
        if step == 0:
            shutil.rmtree(writer.run_dir)
    writer.close()
    tail = Tail(writer.run_dir, tell=lambda message: None)
    assert steps(drained(tail)) == [2]
    assert tail.damage.blobs == 0


def test_a_deletion_that_no_commit_came_after_is_told_at_the_close(
    writer: SegmentWriter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put(writer, clock, 0)
    shutil.rmtree(writer.run_dir)
    writer.close()
    assert writer.lost == 1
    assert caplog.text.endswith(f"{writer.path} was deleted while it was written, with 1 lines\n")
    assert not writer.run_dir.exists()


def test_a_follower_goes_on_with_the_file_that_was_made_again(writer: SegmentWriter, clock: Clock) -> None:
    put(writer, clock, 0, 1, 2, 3)
    tail = Tail(writer.run_dir, tell=lambda message: None)
    assert steps(drained(tail)) == [0, 1, 2, 3]
    shutil.rmtree(writer.run_dir)
    put(writer, clock, 4)
    assert steps(drained(tail)) == []
    put(writer, clock, 5)
    assert steps(drained(tail)) == [5]


def test_it_is_looked_at_most_once_a_second(writer: SegmentWriter, clock: Clock) -> None:
    put(writer, clock, 0)
    shutil.rmtree(writer.run_dir)
    for step in range(100):
        writer.append([record(step)])
        writer.commit()
    assert not writer.run_dir.exists()
    put(writer, clock, 100)
    assert writer.path.exists()
