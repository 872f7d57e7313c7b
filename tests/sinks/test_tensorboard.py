from __future__ import annotations

import logging as logs
from pathlib import Path

import numpy as np
import pytest

from flexlogger.records import Record
from flexlogger.sinks.tensorboard import TensorBoardSink
from tests.sinks import logged
from tests.sinks.reading import event_files, of_tensorboard, text_of


def single(series: dict[str, list[tuple[float, float]]]) -> dict[str, list[tuple[float, float]]]:
    """As single precision has it, which is all that TensorBoard keeps."""
    return {name: [(step, float(np.float32(value))) for step, value in values] for name, values in series.items()}


def test_what_is_logged_is_what_tensorboard_reads(tmp_path: Path) -> None:
    with logged.logging({"tensorboard": {"dir": str(tmp_path / "tb")}}) as stat:
        logged.log_losses(stat, range(20))
        logged.log_the_rest(stat, 20)
        assert stat.flush(logged.WAIT_S)
        assert stat.status()["views"]["tensorboard"]["left_out"] == {"matrix": 1}
    folder = tmp_path / "tb" / "r1"
    expected = logged.losses(range(20)) | {"recall.cat": [(20, 0.25)], "recall.dog": [(20, 1.0)]}
    assert of_tensorboard(folder) == single(expected)
    events = event_files(folder)
    (image,) = events.Images("picture")
    assert (image.width, image.height, image.step) == (6, 8, 20)
    assert events.Tags()["images"] == ["picture", "grid"]
    (histogram,) = events.Histograms("weights")
    assert (histogram.histogram_value.num, sum(histogram.histogram_value.bucket)) == (100, 100)
    assert text_of(events, "words") == "hello"
    assert text_of(events, "rows") == "| word | n |\n| --- | --- |\n| cat | 2 |\n| dog | 1 |"
    assert text_of(events, "config") == '    lr: 0.1\n    net: {"sizes":[8,16]}'
    assert 'tags: ["a","b"]' in text_of(events, "run")
    assert f"train_loss: {1 / 20}" in text_of(events, "summary")
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_a_run_that_is_taken_up_again_has_each_value_once(tmp_path: Path) -> None:
    for steps in (range(10), range(10, 20)):
        with logged.logging("tensorboard") as stat:
            logged.log_losses(stat, steps)
            folder = stat.folder / "tensorboard"
    assert of_tensorboard(folder) == single(logged.losses(range(20)))
    assert len(list(folder.iterdir())) == 1


def test_a_tensorboard_that_has_read_the_file_before_lets_go_of_it(tmp_path: Path) -> None:
    first = TensorBoardSink(tmp_path)
    first.write([Record(step, 0.0, {"a": 1.0}) for step in range(5)])
    before = next(tmp_path.iterdir())
    kept = before.read_bytes()
    first.close()
    again = TensorBoardSink(tmp_path)
    again.write([Record(step, 0.0, {"a": 2.0}) for step in range(3)])
    again.close()
    earlier = before.with_name(before.name.replace("tfevents.", "tfevents.0"))
    earlier.write_bytes(kept)  # sorts first, as what was read before
    assert of_tensorboard(tmp_path) == {"a": [(0, 2.0), (1, 2.0), (2, 2.0)]}


def test_odd_numbers_and_names_and_steps(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = TensorBoardSink(tmp_path)
    values = {"loss@rank0": float("nan"), "a b": float("inf"), "huge": -1e300}
    with caplog.at_level(logs.WARNING, "flexlogger"):
        sink.write([Record(1.5, 0.0, values), Record(2.5, 0.0, values)])
    sink.close()
    found = of_tensorboard(tmp_path)
    assert found["a b"] == [(1, float("inf")), (2, float("inf"))]
    assert found["huge"][0] == (1, float("-inf"))
    assert np.isnan(found["loss@rank0"][0][1])
    assert [record.getMessage() for record in caplog.records] == [
        "flexlogger: the tensorboard view has whole steps only; step 1.5 is 1"
    ]
