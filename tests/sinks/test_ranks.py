"""What the values of several ranks become before a view sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from flexlogger.plots.board import Board
from flexlogger.records import Datum, Definition, Item, MeterDef, Output, PlotDef, Record
from flexlogger.sinks import ranks
from flexlogger.sinks.ranks import AcrossRanks

AVERAGE = (Output(), Output(".std", drawn=False))
DEFINED = Definition(0.0, (PlotDef("loss"),), (MeterDef("a", "AverageValueMeter", "loss", AVERAGE),))


def values(items: Sequence[Item]) -> list[dict[str, float]]:
    return [dict(item.values) for item in items if isinstance(item, Record)]


def lines(board: Board, plot: str) -> dict[str, list[float | None]]:
    return {trace["name"]: trace["y"] for trace in board.panel(plot).data if trace.get("mode") != "none"}


def test_a_line_a_rank_their_mean_and_a_band() -> None:
    stage, board = AcrossRanks(2), Board()
    board.write(stage.take([DEFINED], own=True))
    for step in range(3):
        for rank in range(2):
            record = Record(step, 0.0, {"a": step + 2.0 * rank, "a.std": 0.5})
            board.write(stage.take([record], rank))
    assert lines(board, "loss") == {"a": [1.0, 2.0, 3.0], "a@rank0": [0.0, 1.0, 2.0], "a@rank1": [2.0, 3.0, 4.0]}
    (band,) = (trace for trace in board.panel("loss").data if trace["mode"] == "none")
    assert band["y"][0] == pytest.approx(1.0 - math.sqrt(2))
    assert not board.notes


def test_what_nobody_declared_is_drawn_in_a_window_of_its_name() -> None:
    stage, board = AcrossRanks(2), Board()
    for rank in range(2):
        board.write(stage.take([Record(0, 0.0, {"x/y": float(rank)})], rank))
    assert board.windows() == ["x/y"]
    assert lines(board, "x/y") == {"x/y": [0.5], "x/y@rank0": [0.0], "x/y@rank1": [1.0]}


def test_a_rank_that_nobody_expected_is_drawn_too() -> None:
    stage, board = AcrossRanks(1), Board()
    board.write(stage.take([DEFINED, Record(0, 0.0, {"a": 1.0})], own=True))
    board.write(stage.take([Record(0, 0.0, {"a": 3.0})], rank=5))
    assert lines(board, "loss") == {"a": [2.0], "a@rank0": [1.0], "a@rank5": [3.0]}


def test_a_later_value_of_a_rank_at_one_step_wins_in_the_mean() -> None:
    stage = AcrossRanks(2)
    for rank, value in ((0, 1.0), (1, 3.0), (0, 5.0)):
        shown = values(stage.take([Record(0, 0.0, {"a": value})], rank))[-1]
    assert shown == {"a": 4.0, "a.std": pytest.approx(math.sqrt(2))}


def test_a_value_that_is_not_finite_shows_in_the_mean() -> None:
    stage = AcrossRanks(2)
    stage.take([Record(0, 0.0, {"a": 1.0})], 0)
    assert math.isnan(values(stage.take([Record(0, 0.0, {"a": math.nan})], 1))[-1]["a"])
    assert values(stage.take([Record(0, 0.0, {"a": math.inf})], 1))[-1]["a"] == math.inf


def test_memory_is_bounded_and_no_mean_is_made_of_what_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "STEPS", 10)
    stage = AcrossRanks(2)
    stage.take([Record(step, 0.0, {"a": 1.0}) for step in range(30)], 0)
    late = values(stage.take([Record(step, 0.0, {"a": 3.0}) for step in (0, 25)], 1))
    assert late == [{"a@rank1": 3.0}, {"a@rank1": 3.0}, {"a": 2.0, "a.std": pytest.approx(math.sqrt(2))}]


def test_an_axis_keeps_its_name_and_arrays_are_those_of_rank_0() -> None:
    stage = AcrossRanks(2)
    stage.take([Definition(0.0, (PlotDef("loss", x="epoch"),), (MeterDef("a", "", "loss"),))], own=True)
    matrix = Datum("m", "matrix", np.zeros((2, 2)))
    for rank in range(2):
        named = stage.take([Record(7, 0.0, {"a": 1.0, "epoch": 2.0}, (matrix,))], rank)
        (first,) = (item for item in named if isinstance(item, Record) and f"a@rank{rank}" in item.values)
        assert first.values["epoch"] == 2.0
        assert first.data == ((matrix,) if rank == 0 else ())
