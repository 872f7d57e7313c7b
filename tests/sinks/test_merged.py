"""Definitions of several processes as one dashboard."""

from __future__ import annotations

from flexlogger.plots.board import Board
from flexlogger.records import Definition, MeterDef, PlotDef, Record
from flexlogger.sinks.merged import OneDashboard


def declared(*names: str, plot: str = "p") -> Definition:
    return Definition(0.0, (PlotDef(plot),), tuple(MeterDef(name, "", plot) for name in names))


def test_what_others_declared_is_still_drawn_when_we_declare_anew() -> None:
    one, board = OneDashboard(), Board()
    board.write(one.take([declared("a", plot="old"), Record(0, 0.0, {"a": 1.0})]))
    board.write(one.take([declared("b", plot="new"), Record(1, 0.0, {"b": 2.0})], own=True))
    board.write(one.take([Record(2, 0.0, {"a": 3.0})]))
    assert board.windows() == ["new", "old"]
    assert board.panel("old").data[0]["y"] == [1.0, 3.0]


def test_what_we_take_away_of_our_own_goes() -> None:
    one = OneDashboard()
    one.take([declared("a", "b")], own=True)
    (now,) = one.take([declared("a")], own=True)
    assert isinstance(now, Definition)
    assert [meter.name for meter in now.meters] == ["a"]


def test_a_worker_that_declares_what_is_known_changes_nothing() -> None:
    one = OneDashboard()
    first = declared("a")
    assert one.take([first], own=True) == [first]
    assert one.take([declared("a"), Record(0, 0.0, {"a": 1.0})]) == [Record(0, 0.0, {"a": 1.0})]
