from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.records import Definition, End, Event, Item, PlotDef
from flexlogger.runs import tail as module
from flexlogger.runs.format import Resume
from flexlogger.runs.tail import Tail
from tests.runs.writing import begin_segment, drained, record, same, steps, write_segment


def test_a_run_of_several_processes_reads_as_one_in_order_of_time(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(n) for n in (0, 2, 4, 9)], start=0)
    write_segment(tmp_path, [record(n) for n in (1, 3, 5)], start=1)
    write_segment(tmp_path, [record(n) for n in (6, 7, 8)], start=6)
    assert steps(drained(Tail(tmp_path))) == list(range(10))


TIMES = st.lists(st.lists(st.integers(0, 200), max_size=60).map(sorted), min_size=1, max_size=4)


@given(times=TIMES, chunk=st.integers(100, 4000))
def test_merging_keeps_every_item_once_in_order_of_time_and_of_its_segment(
    tmp_path_factory: pytest.TempPathFactory, times: list[list[int]], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    for index, segment in enumerate(times):
        items = [record(n, float(time), segment=index) for n, time in enumerate(segment)]
        write_segment(folder, items, start=float(min(segment, default=0)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "READ_BYTES", chunk)
        patch.setattr(module, "LEAST_BYTES", chunk)
        found = drained(Tail(folder))
    assert [item.time for item in found] == sorted(time for segment in times for time in segment)
    for index, segment in enumerate(times):
        assert [r.step for r in found if r.values["segment"] == index] == list(range(len(segment)))  # type: ignore[union-attr]


def test_items_out_of_order_in_their_segment_stay_as_they_were_logged(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(0, 5.0), record(1, 1.0), record(2, 6.0)], start=1)
    write_segment(tmp_path, [record(3, 2.0), record(4, 7.0)], start=2)
    found = steps(drained(Tail(tmp_path)))
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert [n for n in found if n < 3] == [0, 1, 2]


def test_later_reads_give_what_was_appended_and_what_new_processes_write(tmp_path: Path) -> None:
    writer = begin_segment(tmp_path)
    writer.append([record(0), record(1)])
    writer.commit()
    tail = Tail(tmp_path)
    assert steps(drained(tail)) == [0, 1]
    assert drained(tail) == []
    writer.append([record(2)])
    writer.commit()
    write_segment(tmp_path, [record(3)], start=3)
    assert steps(drained(tail)) == [2, 3]
    assert drained(tail) == []


def test_a_folder_that_is_not_there_yet_is_empty_until_it_is(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "run")
    assert drained(tail) == []
    write_segment(tmp_path / "run", [record(0)])
    assert steps(drained(tail)) == [0]


def test_a_segment_without_its_whole_header_waits(tmp_path: Path) -> None:
    path = write_segment(tmp_path, [record(0)])
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    tail = Tail(tmp_path)
    assert drained(tail) == []
    assert tail.damage.torn == 1
    path.write_bytes(whole)
    assert steps(drained(tail)) == [0]
    assert not tail.damage


def test_a_resume_hides_what_was_recorded_before_it_from_its_step_on(tmp_path: Path) -> None:
    artifact = Event(7.0, "artifact", {"name": "model"}, 7)
    bad = Event(7.0, "nonfinite", {"name": "a"}, 7)
    write_segment(tmp_path, [*(record(n) for n in range(8)), bad, artifact], start=0)
    write_segment(tmp_path, [record(n, 10.0 + n) for n in (5, 6)], start=10, resume=Resume(5, 10.0))
    found = drained(Tail(tmp_path))
    assert [(r.step, r.time) for r in found if r.time < 10 and r != artifact] == [(n, n) for n in range(5)]  # type: ignore[union-attr]
    assert artifact in found
    assert bad not in found
    assert steps(found)[-2:] == [5, 6]


def test_a_worker_forked_from_a_resumed_run_hides_nothing_of_it(tmp_path: Path) -> None:
    resume = Resume(5, 10.0)
    write_segment(tmp_path, [record(n, 10.0 + n) for n in (5, 6, 7)], start=10, resume=resume)
    write_segment(tmp_path, [record(8, 20.0)], start=19, resume=resume)
    assert steps(drained(Tail(tmp_path))) == [5, 6, 7, 8]


def test_the_resume_of_a_segment_that_is_not_on_disk_yet_can_be_told(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(n) for n in range(4)])
    assert steps(drained(Tail(tmp_path, tmp_path / "own.jsonl", resume=Resume(2, 10.0)))) == [0, 1]


def test_a_follower_learns_that_the_run_went_back(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(n) for n in range(4)])
    tail = Tail(tmp_path)
    assert steps(drained(tail)) == [0, 1, 2, 3]
    assert not tail.rewound
    write_segment(tmp_path, [record(2, 12.0)], start=10, resume=Resume(2, 10.0))
    assert steps(drained(tail)) == [2]
    assert tail.rewound
    assert steps(drained(Tail(tmp_path))) == [0, 1, 2]


def test_only_rank_0_is_read_unless_all_are_asked_for(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(0), record(2)], start=0)
    write_segment(tmp_path, [record(1), record(3)], start=1, rank=1)
    assert steps(drained(Tail(tmp_path))) == [0, 2]
    every = [(batch.rank, step) for batch in Tail(tmp_path, ranks="all").read() for step in steps(batch.items)]
    assert sorted(every) == [(0, 0), (0, 2), (1, 1), (1, 3)]


def test_the_end_of_somebody_elses_segment_does_not_end_ones_own_run(tmp_path: Path) -> None:
    own = write_segment(tmp_path, [record(9)], start=5)
    write_segment(tmp_path, [record(0), End(1.0)], start=0)
    assert drained(Tail(tmp_path)) == [record(0), End(1.0), record(9)]
    assert drained(Tail(tmp_path, own)) == [record(0)]


def test_damage_is_counted_and_told_once(tmp_path: Path) -> None:
    path = write_segment(tmp_path, [record(n) for n in range(4)])
    write_segment(tmp_path, [record(9)], start=9)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b'"s":1', b'"s":7'), lines[4]]))
    told: list[str] = []
    tail = Tail(tmp_path, tell=told.append)
    assert steps(drained(tail)) == [0, 3, 9]
    assert drained(tail) == []
    assert (tail.damage.damaged, tail.damage.missing) == (1, 1)
    assert told == [f"flexlogger: {path}: skipped what is damaged (1 damaged, 1 missing)"]


def test_a_torn_last_line_is_told_once_nobody_can_be_writing_it_any_more(tmp_path: Path) -> None:
    path = write_segment(tmp_path, [record(n) for n in range(3)])
    path.write_bytes(path.read_bytes()[:-5])
    os.utime(path, (100.0, 100.0))
    told: list[str] = []
    now = 105.0
    tail = Tail(tmp_path, tell=told.append, clock=lambda: now)
    assert steps(drained(tail)) == [0, 1]
    assert told == []
    assert tail.damage.torn == 1
    now = 111.0
    assert drained(tail) == []
    assert told == [f"flexlogger: {path}: skipped what is damaged (1 torn)"]


def test_a_damaged_header_costs_only_what_it_says(tmp_path: Path) -> None:
    path = write_segment(tmp_path, [record(n) for n in range(3)])
    path.write_bytes(path.read_bytes().replace(b'"rank":0', b'"rank":7', 1))
    tail = Tail(tmp_path, tell=lambda message: None)
    assert steps(drained(tail)) == [0, 1, 2]
    assert tail.damage.damaged == 1


def test_a_file_that_cannot_be_read_is_told_once_and_the_rest_is_read(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(0)])
    broken = tmp_path / "host-1-1-abc.jsonl"
    broken.mkdir()
    told: list[str] = []
    tail = Tail(tmp_path, tell=told.append)
    assert steps(drained(tail)) == [0]
    assert drained(tail) == []
    assert told == [f"flexlogger: {broken} cannot be read (Is a directory); it is left out"]
    broken.rmdir()
    write_segment(tmp_path, [record(1)], start=2).rename(broken)
    assert steps(drained(tail)) == [1]


def test_a_folder_that_cannot_be_listed_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    told: list[str] = []
    tail = Tail(tmp_path / "run", tell=told.append)
    assert drained(tail) == drained(tail) == []
    assert told == [f"flexlogger: {tmp_path / 'run'} cannot be read (Not a directory); it is left out"]


def test_a_segment_that_vanishes_while_it_is_followed_is_told_once(tmp_path: Path) -> None:
    path = write_segment(tmp_path, [record(0)])
    writer = begin_segment(tmp_path, start=1)
    writer.append([record(1)])
    writer.commit()
    told: list[str] = []
    tail = Tail(tmp_path, tell=told.append)
    assert steps(drained(tail)) == [0, 1]
    path.unlink()
    writer.append([record(2)])
    writer.commit()
    assert steps(drained(tail)) == [2]
    assert told == [f"flexlogger: {path} cannot be read (No such file or directory); it is left out"]


def test_values_that_are_not_scalars_can_be_left_unread(tmp_path: Path) -> None:
    definition = Definition(0.0, (PlotDef("loss"),), ())
    items: list[Item] = [definition, record(0), End(3.0)]
    write_segment(tmp_path, items)
    (tmp_path / "blobs").mkdir()
    found = drained(Tail(tmp_path, data=False))
    assert all(same(a, b) for a, b in zip(items, found, strict=True))
