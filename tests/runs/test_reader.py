from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.errors import RunLogError, UnknownNameError
from flexlogger.records import Datum, End, Event, Item, Record
from flexlogger.runs.card import Card, write_card
from flexlogger.runs.format import Resume
from flexlogger.runs.reader import RunReader
from tests.runs.writing import begin_segment, record, steps, write_segment


def test_curves_are_sorted_by_step_and_the_value_logged_last_counts(tmp_path: Path) -> None:
    write_segment(tmp_path, [record(3, 0.0, loss=3.0), record(1, 1.0, loss=1.0, acc=0.5)], start=0)
    write_segment(tmp_path, [record(3, 2.0, loss=0.3), record(2, 3.0, loss=math.nan)], start=2)
    run = RunReader(tmp_path)
    assert run.names() == ["loss", "acc"]
    found, values = run.series("loss")
    assert found.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(values, [1.0, math.nan, 0.3])
    assert values.dtype == found.dtype == np.float64
    assert run.series("acc").values.tolist() == [0.5]


VALUES = st.dictionaries(st.sampled_from("abc"), st.floats(-1e9, 1e9), min_size=1)


@given(logged=st.lists(st.tuples(st.integers(-5, 5) | st.floats(-5, 5), VALUES), min_size=1, max_size=30))
def test_curves_agree_with_the_obvious_way(
    tmp_path_factory: pytest.TempPathFactory, logged: list[tuple[float, dict[str, float]]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_segment(folder, [Record(step, float(n), values) for n, (step, values) in enumerate(logged)])
    expected: dict[str, dict[float, float]] = {}
    for step, values in logged:
        for name, value in values.items():
            expected.setdefault(name, {})[step] = value
    curves = RunReader(folder).curves()
    assert {name: dict(zip(*map(np.ndarray.tolist, curve), strict=True)) for name, curve in curves.items()} == expected
    assert all(np.all(np.diff(curve.steps) > 0) for curve in curves.values())


def test_a_name_that_was_never_logged_comes_with_the_nearest_one(tmp_path: Path) -> None:
    write_segment(tmp_path / "digits", [record(0, train_loss=1.0)])
    with pytest.raises(UnknownNameError, match=r"digits: unknown series 'trian_loss'; did you mean 'train_loss'\?"):
        RunReader(tmp_path / "digits").series("trian_loss")


@pytest.mark.parametrize("made", [None, "file", "folder"])
def test_what_is_no_run_is_refused(tmp_path: Path, made: str | None) -> None:
    path = tmp_path / "run"
    if made == "file":
        path.touch()
    elif made == "folder":
        path.mkdir()
    with pytest.raises(RunLogError, match=r"is not a run: expected a folder with run\.json or segments"):
        RunReader(path)


def test_a_run_is_followed_while_it_is_written(tmp_path: Path) -> None:
    writer = begin_segment(tmp_path)
    writer.append([record(0)])
    writer.commit()
    run = RunReader(tmp_path)
    assert [steps(batch.items) for batch in run.read()] == [[0]]
    writer.append([record(1)])
    writer.commit()
    assert [steps(batch.items) for batch in run.read()] == [[1]]
    assert steps(list(run.items())) == [0, 1]
    assert list(run.read()) == []
    assert not run.rewound
    write_segment(tmp_path, [record(0, 5.0)], start=5, resume=Resume(0, 5.0))
    assert [steps(batch.items) for batch in run.read()] == [[0]]
    assert run.rewound


def test_the_card_comes_from_its_file_or_else_from_the_whole_log(tmp_path: Path) -> None:
    folder = tmp_path / "project" / "r"
    rule = Event(1.0, "metric", {"name": "loss", "summary": ["min"]})
    items: list[Item] = [Event(1.0, "run", {"config": {"lr": 0.1}}), rule, record(1, 2.0, loss=0.5), End(3.0)]
    write_segment(folder, items)
    run = RunReader(folder)
    assert (run.card.id, run.card.project, run.config, run.summary) == (
        "r",
        "project",
        {"lr": 0.1},
        {"loss": {"min": 0.5}},
    )
    assert run.ended == "finished"
    write_card(folder, Card(id="r", config={"lr": 0.2}, beat=time.time()))
    assert (run.config, run.ended) == ({"lr": 0.2}, None)
    write_card(folder, Card(id="r", beat=time.time() - 60))
    assert run.ended == "crashed"


def test_a_card_without_a_log_is_a_run_too(tmp_path: Path) -> None:
    write_card(tmp_path, Card(id="r", config={"lr": 0.1}))
    run = RunReader(tmp_path)
    assert run.config == {"lr": 0.1}
    assert run.names() == []
    assert list(run.items()) == []


def test_what_could_not_be_read_is_counted_and_told_by_the_reader(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large = Datum("w", "matrix", np.ones((64, 64)))
    path = write_segment(tmp_path, [record(0), Record(1, 1.0, {}, (large,)), record(2)])
    (blob,) = [found for found in (tmp_path / "blobs").rglob("*") if found.is_file()]
    blob.unlink()
    run = RunReader(tmp_path)
    assert len(list(run.items())) == 2
    assert run.damage.blobs == 1
    assert run.problems == [f"flexlogger: {path}: skipped what is damaged (1 blobs)"]
    assert run.names() == ["a"]
    assert not run.damage  # blobs are not read for names
    assert caplog.records == []


def test_all_ranks_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    for rank in (0, 1):
        write_segment(tmp_path, [record(rank)], start=float(rank), rank=rank)
    assert steps(list(RunReader(tmp_path).items())) == [0]
    assert {batch.rank for batch in RunReader(tmp_path, ranks="all").read()} == {0, 1}
