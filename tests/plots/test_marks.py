"""What stands on a curve whose values were not finite: the first one says what it was, and at which step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from flexlogger.plots.board import Board
from flexlogger.records import Definition, Event, Item, MeterDef, PlotDef, Record
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.ranks import AcrossRanks
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.wire import address
from tests.plots.panels import drawn

NAN, INF = float("nan"), float("inf")


def notes(plot: PlotDef, *series: tuple[str, list[float]], **meter: Any) -> list[tuple[Any, Any, str]]:
    """(x, y, text) of what is written on the lines of these series over steps 0, 1, 2 … (30 s each)."""
    length = len(series[0][1])
    records = [Record(s, 30.0 * s, {name: values[s] for name, values in series}) for s in range(length)]
    panel = drawn(plot, [MeterDef(name, "", plot.name, **meter) for name, _ in series], *records)
    return [(note["x"], note["y"], note["text"]) for note in panel.layout.get("annotations", [])]


def test_the_first_one_of_a_line_is_written_out() -> None:
    assert notes(PlotDef("p"), ("a", [1.0, 2.0, NAN, INF, 3.0])) == [(2, 2, "NaN at step 2")]
    assert notes(PlotDef("p"), ("a", [-INF, 2.0])) == [(0, 2, "-Inf at step 0")]
    assert notes(PlotDef("p"), ("a", [1.0, 2.0])) == []


def test_lines_that_went_bad_together_share_a_note() -> None:
    bad = [(f"m{n}", [1.0 + n, NAN]) for n in range(5)]
    assert notes(PlotDef("p"), *bad) == [(1, 5, "NaN at step 1<br>m0<br>m1<br>m2<br>and 2 more")]
    apart = [("a", [1.0, NAN, 1.0]), ("b", [1.0, 1.0, INF]), ("c", [1.0, 1.0, 1.0])]
    assert notes(PlotDef("p"), *apart) == [(1, 1, "NaN at step 1<br>a"), (2, 1, "+Inf at step 2<br>b")]


def test_names_are_those_of_the_legend_and_no_html() -> None:
    plot = PlotDef("p", "line", {"legend": ["<i>", "second"]})
    assert notes(plot, ("a", [1.0, NAN]), ("b", [1.0, 1.0]))[0][2] == "NaN at step 1<br>&lt;i&gt;"


def test_over_other_axes_the_step_is_written_all_the_same() -> None:
    assert notes(PlotDef("p", x="time"), ("a", [1.0, 2.0, NAN])) == [(2 / 120, 2, "NaN at step 2")]
    falling = ("lr", [0.4, 0.3, 0.2, 0.1])
    over_lr = notes(PlotDef("p", x="lr"), falling, ("a", [1.0, NAN, NAN, 1.0]))
    assert over_lr == [(0.3, 1, "NaN at step 1<br>a")], "the first by step, not the leftmost"


def test_on_log_axes_places_are_logarithms() -> None:
    plot = PlotDef("p", "line", {"ytype": "log", "xtype": "log"})
    assert notes(plot, ("a", [1.0, 10.0, 100.0, NAN])) == [(pytest.approx(np.log10(3)), 2, "NaN at step 3")]
    assert notes(plot, ("a", [NAN, 1.0])) == [], "there is no step 0 on a log axis"


def test_what_was_replaced_by_a_number_is_first_no_longer() -> None:
    board = Board()
    records = [Record(s, 0.0, {"a": value}) for s, value in enumerate([1.0, NAN, NAN, 1.0])]
    board.write([Definition(0.0, (PlotDef("p"),), (MeterDef("a", "", "p"),)), *records, Record(1, 1.0, {"a": 2.0})])
    assert [note["text"] for note in board.panel("p").layout["annotations"]] == ["NaN at step 2"]


def test_a_window_does_not_fill_up_with_notes() -> None:
    bad = [(f"m{n}", [NAN if s == n else 1.0 for s in range(20)]) for n in range(20)]
    assert len(notes(PlotDef("p"), *bad)) == 8


def test_a_changed_limit_keeps_the_first() -> None:
    board = Board()
    meters = (MeterDef("lr", "", "p"), MeterDef("a", "", "p"))
    records = [Record(s, 0.0, {"lr": 1.0 - s / 10, "a": NAN if s in (2, 5) else 1.0}) for s in range(9)]
    board.write([Definition(0.0, (PlotDef("p", x="lr"),), meters), *records])
    board.write([Definition(1.0, (PlotDef("p", x="lr", max_points=100),), meters)])
    assert board.panel("p").layout["annotations"][0]["text"] == "NaN at step 2<br>a"


def test_the_board_knows_the_first_of_each_name() -> None:
    def bad(name: str, step: int) -> Item:
        return Event(0.0, "nonfinite", {"name": name, "value": "nan", "step": step}, step)

    board = Board()
    board.write([bad("a", 3), bad("b", 4), bad("a", 1), Event(0.0, "nonfinite", {})])
    assert board.nonfinite == {"a": {"value": "nan", "step": 3}, "b": {"value": "nan", "step": 4}}
    (renamed,) = AcrossRanks(2).take([bad("a", 3)], rank=1)
    assert isinstance(renamed, Event)
    assert renamed.info["name"] == "a@rank1"


def test_it_is_seen_in_the_browser(server: ServerProcess, page: Page) -> None:
    view = VisdomSink(HttpSender(address(server.url, None)), "not_finite", "not_finite")
    records = [Record(s, 30.0 * s, {"loss": NAN if s >= 70 else 1 / (s + 1), "acc": s / 100}) for s in range(100)]
    meters = tuple(MeterDef(name, "", name) for name in ("loss", "acc"))
    view.write([Definition(0.0, (PlotDef("loss", "line", {"ytype": "log"}), PlotDef("acc")), meters), *records])
    view.flush()
    view.close()
    page.goto(f"{server.url}/env/not_finite")
    loss = page.locator('.window:has(.bar :text-is("loss"))')
    note = loss.locator(".annotation")
    note.wait_for()
    assert note.text_content() == "NaN at step 70"
    written, area = note.locator("text").bounding_box(), loss.locator(".nsewdrag").bounding_box()
    mark = loss.locator(".points path.point").first.bounding_box()
    assert written is not None
    assert area is not None
    assert mark is not None
    assert area["x"] < written["x"] < written["x"] + written["width"] < area["x"] + area["width"]
    assert area["y"] <= written["y"] + 1
    assert written["y"] < mark["y"] < written["y"] + 40, "just above its mark"
    assert page.locator('.window:has(.bar :text-is("acc")) .annotation').count() == 0
