"""Runs over each other: the same meter in the same window, each run told from the others; and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger.cli import main
from flexlogger.errors import RunLogError
from flexlogger.plots.board import Board
from flexlogger.plots.style import PALETTE
from flexlogger.records import Datum, Definition, Item, MeterDef, PlotDef, Record
from flexlogger.replay.compare import compare, env_of, labels
from flexlogger.replay.overlay import overlay
from flexlogger.runs.find import FoundRun, find_runs
from flexlogger.server.process import ServerProcess
from tests.replay.windows import windows
from tests.runs.on_disk import START, make_run, records

PLOTS = (PlotDef("loss", opts={"legend": ["one", "two"]}), PlotDef("cm", "heatmap"))
METERS = (
    MeterDef("train", "AverageValueMeter", "loss"),
    MeterDef("test", "AverageValueMeter", "loss"),
    MeterDef("confusion", "ConfusionMeter", "cm"),
)


def items(offset: float) -> list[Item]:
    matrix = (Datum("confusion", "matrix", np.eye(2) * offset),)
    return [
        Definition(START, PLOTS, METERS),
        *records({"train": [offset, offset + 1], "test": [offset + 5], "extra": [offset]}),
        Record(2, START, {}, matrix),
    ]


def board(*of: Item) -> Board:
    made = Board()
    made.write(of)
    return made


class TestOverlay:
    def test_the_same_meters_of_all_runs_share_a_window(self) -> None:
        found = {w.plot.name: w for w in overlay({"a": board(*items(0)), "b": board(*items(1))})}
        assert list(found) == ["loss", "cm@a", "cm@b", "extra"]
        lines = [line for feed in found["loss"].feeds for line in feed.lines]
        assert [(line.name, line.color, line.dash) for line in lines] == [
            ("train@a", PALETTE[0], "solid"),
            ("test@a", PALETTE[0], "dash"),
            ("train@b", PALETTE[1], "solid"),
            ("test@b", PALETTE[1], "dash"),
        ]
        assert lines[2].shown.y.tolist() == [1, 2]
        assert [line.name for feed in found["extra"].feeds for line in feed.lines] == ["extra@a", "extra@b"]

    def test_a_meter_that_only_some_runs_have_takes_no_look_from_others(self) -> None:
        definition = Definition(START, PLOTS[:1], METERS[:2])
        runs = {"a": board(definition, *records({"test": [1]})), "b": board(definition, *records({"train": [1]}))}
        (window,) = overlay(runs)
        assert [(line.name, line.dash) for feed in window.feeds for line in feed.lines] == [
            ("test@a", "solid"),
            ("train@b", "dash"),
        ]

    def test_more_runs_than_colours_still_differ(self) -> None:
        boards = {f"r{n}": board(*records({"loss": [n], "acc": [n]})) for n in range(3 * len(PALETTE))}
        for window in overlay(boards):
            looks = {(line.color, line.dash) for feed in window.feeds for line in feed.lines}
            assert len(looks) == len(boards)

    def test_a_plot_that_is_something_else_in_another_run_has_windows_apart(self) -> None:
        line = Definition(START, (PlotDef("x"),), (MeterDef("m", "", "x"),))
        bars = Definition(START, (PlotDef("x", "bar"),), (MeterDef("m", "", "x"),))
        runs = {"a": board(line, *records({"m": [1]})), "b": board(bars, *records({"m": [1]}))}
        assert [w.plot.name for w in overlay(runs)] == ["x (line)", "x (bar)"]

    def test_curves_and_bars_have_a_colour_for_each_run_and_meter(self) -> None:
        definition = Definition(START, (PlotDef("p", "curve"),), (MeterDef("one", "", "p"), MeterDef("two", "", "p")))
        curves = tuple(Datum(name, "curve", np.zeros((2, 3))) for name in ("one", "two"))
        runs = {label: board(definition, Record(0, START, {}, curves)) for label in "ab"}
        (window,) = overlay(runs)
        assert [(feed.meter.name, feed.color) for feed in window.feeds] == [
            ("one@a", PALETTE[0]),
            ("two@a", PALETTE[1]),
            ("one@b", PALETTE[2]),
            ("two@b", PALETTE[3]),
        ]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    monkeypatch.setenv("FLEXLOGGER_DIR", str(folder))
    make_run(
        folder,
        "a",
        "p",
        items(0),
        name="small",
        config={"lr": 0.1, "net": {"depth": 2}, "seed": 1},
        summary={"loss": {"min": 1.0}},
        start=START,
    )
    make_run(
        folder,
        "b",
        "p",
        items(1),
        config={"lr": 0.2, "net": {"depth": 2}, "amp": True},
        summary={"loss": {"min": 2.0}, "bad": "NaN"},
        start=START + 1,
    )
    return folder


def found(base: Path) -> list[FoundRun]:
    return sorted(find_runs(base), key=lambda run: run.label)


def test_what_differs_and_what_came_out(base: Path) -> None:
    made = compare(found(base))
    assert made.labels == ["small", "b"]
    assert made.config == {"lr": [0.1, 0.2], "seed": [1, None], "amp": [None, True]}
    assert made.summary == {"loss.min": [1.0, 2.0], "bad": [None, "NaN"]}


def test_one_run_is_none_to_compare(base: Path) -> None:
    with pytest.raises(RunLogError, match="expected two runs or more, got p/a"):
        compare(found(base)[:1] * 2)


def test_labels_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "p", name="same")
    make_run(tmp_path, "b", "p", name="same")
    make_run(tmp_path, "c", "p", name="own")
    make_run(tmp_path, "b", "q", name="same")
    assert labels(found(tmp_path)) == ["a", "p/b", "own", "q/b"]
    many = [run for run in found(tmp_path) for _ in range(10)]
    assert env_of(found(tmp_path)[:2]) == "compare-a-b"
    assert env_of(many) == env_of(many)
    assert len(env_of(many)) < 60


def test_one_environment_with_the_curves_and_the_table(
    base: Path, fresh_server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "compare", "small", "b", "--port", str(fresh_server.port)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "config.lr\t0.1\t0.2"
    assert told[-1] == f"drawn over each other: http://localhost:{fresh_server.port}/env/compare-a-b"
    drawn = {window["title"]: window for window in windows(fresh_server, "compare-a-b").values()}
    assert set(drawn) == {"config that differs, and summary", "loss", "cm · small", "cm · b", "extra"}
    traces = {trace["name"]: trace["y"] for trace in drawn["loss"]["content"]["data"]}
    assert traces == {"train@small": [0, 1], "test@small": [5], "train@b": [1, 2], "test@b": [6]}
    table = drawn["config that differs, and summary"]["content"]
    assert "config.lr" in table
    assert "net.depth" not in table


def test_json_and_no_dashboard(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", "a", "b", "--json", "--no-dashboard"]) == 0
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (made["runs"], made["url"], made["config"]["lr"]) == (["p/a", "p/b"], None, [0.1, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "expected two runs or more"),
        (["a", "bb"], "no run 'bb'"),
        (["a", "b", "--env", "../x"], "the server refuses the name '../x'"),
        (["a", "b", "--port", "1"], "Start a server with: flexlogger server --port 1"),
    ],
)
def test_a_mistake_is_one_line(
    base: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["runs", "compare", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
