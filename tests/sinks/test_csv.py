from __future__ import annotations

import logging as logs
from pathlib import Path

import numpy as np
import pandas
import pytest

from flexlogger.errors import SinkError
from flexlogger.records import Record
from flexlogger.sinks.csv import CsvSink
from tests.sinks import logged
from tests.sinks.reading import of_csv


def test_every_number_reads_back_exactly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "{run}.csv"
    with logged.logging({"csv": {"path": str(path)}}) as stat, caplog.at_level(logs.WARNING, "flexlogger"):
        logged.log_losses(stat, range(20))
        logged.log_the_rest(stat, 20)
        assert stat.flush(logged.WAIT_S)
        left_out = stat.status()["views"]["csv"]["left_out"]
    expected = logged.losses(range(20)) | {"recall.cat": [(20, 0.25)], "recall.dog": [(20, 1.0)]}
    assert of_csv(tmp_path / "r1.csv") == expected
    assert left_out == {"matrix": 1, "image": 1, "images": 1, "text": 1, "table": 1, "histogram": 1}
    assert len([record for record in caplog.records if "the csv view has no place" in record.getMessage()]) == 6


def test_a_run_that_is_taken_up_again_has_each_row_once(tmp_path: Path) -> None:
    for steps in (range(10), range(10, 20)):
        with logged.logging("csv") as stat:
            logged.log_losses(stat, steps)
            folder = stat.folder
    assert of_csv(folder / "metrics.csv") == logged.losses(range(20))
    with logged.logging("csv", resume_step=15) as stat:
        logged.log_losses(stat, range(15, 18))
    assert of_csv(folder / "metrics.csv") == logged.losses(range(18))


def test_names_that_turn_up_later_are_columns_of_all_rows(tmp_path: Path) -> None:
    sink = CsvSink(tmp_path / "a" / "b.csv")
    sink.write([Record(0, 0.0, {"a": 1.0}), Record(1, 1.0, {"a": float("nan")})])
    sink.write([Record(2.5, 2.0, {'odd, "name"': float("-inf"), "a": 3.0})])
    sink.write([Record(3, 3.0, {"c": 4.0})])
    sink.close()
    table = pandas.read_csv(tmp_path / "a" / "b.csv")
    assert [*table.columns] == ["step", "time", "a", 'odd, "name"', "c"]
    assert [*table["step"]] == [0, 1, 2.5, 3]
    np.testing.assert_array_equal(table.to_numpy()[2, 2:], [3.0, -np.inf, np.nan])
    np.testing.assert_array_equal(table["a"], [1.0, np.nan, 3.0, np.nan])


def test_what_a_full_disk_took_of_a_piece_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = CsvSink(tmp_path / "a.csv")
    sink.write([Record(0, 0.0, {"a": 1.0})])
    raw = sink._file._file
    assert raw is not None

    class Full:
        def write(self, data: bytes) -> int:
            raw.write(data[:4])
            raise OSError(28, "No space left on device")

        truncate, seek, close = raw.truncate, raw.seek, raw.close

    monkeypatch.setattr(sink._file, "_file", Full())
    with pytest.raises(SinkError, match="No space left"):
        sink.write([Record(1, 1.0, {"a": 2.0})])
    monkeypatch.setattr(sink._file, "_file", raw)
    sink.write([Record(1, 1.0, {"a": 2.0})])
    sink.close()
    assert (tmp_path / "a.csv").read_text() == "step,time,a\n0,0.0,1.0\n1,1.0,2.0\n"
