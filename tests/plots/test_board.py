"""A board turns a log into windows: every name finds its window, in bounded memory, whatever the log holds."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from flexlogger.plots.board import LINES_OF_A_VECTOR, Board
from flexlogger.records import (
    Datum,
    End,
    Event,
    Layout,
    MeterDef,
    Output,
    PlotDef,
    Record,
)
from tests.plots.boards import LOSS, as_json, board, define, lines


class TestRouting:
    def test_a_name_goes_to_the_plot_of_its_meter(self):
        made = board(LOSS, Record(0, 0.0, {"train": 1.0, "test": 2.0}), Record(1, 1.0, {"train": 0.5}))
        assert made.windows() == ["loss"]
        assert lines(made, "loss") == {"train": [(0, 1), (1, 0.5)], "test": [(0, 2)]}

    def test_of_several_meters_the_one_with_the_longest_name_takes_an_output(self):
        meters = [MeterDef("a", "", "one"), MeterDef("a.b", "", "two")]
        made = board(define([PlotDef("one"), PlotDef("two")], meters), Record(0, 0.0, {"a.b.c": 1.0, "a.c": 2.0}))
        assert lines(made, "two") == {"a.b": [(0, 1)]}
        assert lines(made, "one") == {"a": [(0, 2)]}

    def test_a_meters_name_ends_where_an_output_begins_and_nowhere_else(self):
        made = board(LOSS, Record(0, 0.0, {"train@5": 1.0, "trainer": 2.0, "train_x": 3.0}))
        assert made.windows() == ["loss", "trainer", "train_x"]

    def test_names_nobody_declared_get_a_plot_that_suits_them(self):
        data = (Datum("matrix", "matrix", np.eye(3)), Datum("note", "text", "hello"))
        made = board(Record(0, 0.0, {"loss": 1.0}, data))
        assert made.windows() == ["loss", "matrix", "note"]
        assert [made.panel(name).data[0]["type"] for name in made.windows()] == ["scatter", "heatmap", "text"]

    def test_an_undeclared_name_does_not_take_over_a_plot_of_that_name(self):
        made = board(define([PlotDef("loss")], [MeterDef("train", "", "loss")]), Record(0, 0.0, {"loss": 1.0}))
        assert made.windows() == ["loss", "loss (undeclared)"]
        assert lines(made, "loss") == {}

    def test_a_value_its_plot_cannot_draw_is_noted_once_and_the_rest_goes_on(self, caplog):
        caplog.set_level(logging.WARNING, "flexlogger")
        definition = define([PlotDef("loss")], [MeterDef("m", "", "loss", (Output("", "any"),))])
        made = board(definition, *(Record(i, 0.0, {"m": 1.0}, (Datum("m", "matrix", np.eye(2)),)) for i in range(5)))
        assert len(lines(made, "loss")["m"]) == 5
        assert len(caplog.records) == 1
        assert "'loss' of type line cannot draw 'm', a matrix" in caplog.text
        assert "heatmap" in caplog.text

    @pytest.mark.parametrize(
        ("plot", "word"), [(PlotDef("other"), "not declared"), (PlotDef("p", "hologram"), "'hologram'")]
    )
    def test_what_a_definition_does_not_say_is_noted(self, plot: PlotDef, word: str):
        made = board(define([plot], [MeterDef("m", "", "p")]), Record(0, 0.0, {"m": 1.0}))
        assert word in str(made.notes)

    def test_windows_come_in_the_order_of_the_layout_and_then_as_declared(self):
        plots = [PlotDef("a"), PlotDef("b"), PlotDef("c")]
        assert board(define(plots, [], Layout(order=("c", "nothing", "a")))).windows() == ["c", "a", "b"]

    def test_a_plot_says_which_environment_it_wants(self):
        made = board(define([PlotDef("a", opts={"env": "other"}), PlotDef("b")], []))
        assert (made.env_of("a"), made.env_of("b"), made.env_of("nothing")) == ("other", None, None)


class TestAxes:
    RECORDS = (
        Record(1, 3600.0, {"loss": 3.0}),
        Record(2, 7200.0, {"loss": 2.0, "seen": 100.0}),
        Record(3, 10800.0, {"seen": 200.0}),
        Record(4, 14400.0, {"loss": 1.0}),
    )

    def drawn(self, x: str) -> list[tuple[float, float | None]]:
        meters = [MeterDef("loss", "", "p"), MeterDef("seen", "", "q")]
        return lines(board(define([PlotDef("p", x=x), PlotDef("q")], meters), *self.RECORDS), "p")["loss"]

    def test_step(self):
        assert self.drawn("step") == [(1, 3), (2, 2), (4, 1)]

    def test_time_counts_hours_from_the_start(self):
        assert self.drawn("time") == [(1, 3), (2, 2), (4, 1)]

    def test_a_meter_is_its_last_value_at_or_before_the_record(self):
        assert self.drawn("seen") == [(100, 2), (200, 1)]

    def test_how_records_are_batched_makes_no_difference(self):
        meters = [MeterDef("loss", "", "p"), MeterDef("seen", "", "q")]
        definition = define([PlotDef("p", x="seen"), PlotDef("q")], meters)
        odd = Record(5, 14401.0, {"loss": 4.0, "seen": float("nan")})
        items = [definition, *self.RECORDS, odd, Record(6, 14402.0, {"loss": 5.0})]
        one_by_one = Board()
        for item in items:
            one_by_one.write([item])
        assert as_json(one_by_one) == as_json(board(*items))

    def test_steps_may_come_in_any_order_and_the_later_value_of_a_step_wins(self):
        made = board(*(Record(step, 0.0, {"loss": value}) for step, value in [(2, 1.0), (0, 3.0), (2, 5.0)]))
        assert lines(made, "loss")["loss"] == [(0, 3), (2, 5)]


class TestValues:
    def test_a_short_vector_is_a_line_per_entry_named_after_its_labels(self):
        meter = MeterDef("f1", "", "f1", (Output("", "vector"),), labels=("cat", "dog"))
        made = board(
            define([PlotDef("f1")], [meter]),
            Record(0, 0.0, {}, (Datum("f1", "vector", np.array([0.5, 0.75])),)),
            Record(1, 0.0, {}, (Datum("f1", "vector", np.array([0.6, np.nan])),)),
        )
        assert lines(made, "f1") == {"f1.cat": [(0, 0.5), (1, 0.6)], "f1.dog": [(0, 0.75), (1, None)]}

    @pytest.mark.parametrize(("length", "kind"), [(LINES_OF_A_VECTOR, "scatter"), (LINES_OF_A_VECTOR + 1, "bar")])
    def test_a_long_vector_is_bars_of_its_latest_value(self, length: int, kind: str):
        data = [Record(step, 0.0, {}, (Datum("v", "vector", np.arange(length) + step),)) for step in range(3)]
        panel = board(*data).panel("v")
        assert {trace["type"] for trace in panel.data} == {kind}
        assert len(panel.data) == (length if kind == "scatter" else 1)
        if kind == "bar":
            assert panel.data[0]["y"] == [n + 2 for n in range(length)]

    def test_a_vector_of_one_is_called_as_its_meter(self):
        made = board(Record(0, 0.0, {}, (Datum("v", "vector", np.array([2.0])),)))
        assert lines(made, "v") == {"v": [(0, 2)]}

    def test_the_deviation_is_drawn_only_as_a_band_and_only_where_asked_for(self):
        outputs = (Output(), Output(".std", drawn=False))
        record = [Record(i, 0.0, {"loss": float(i), "loss.std": 0.5}) for i in range(3)]
        plain = board(define([PlotDef("p")], [MeterDef("loss", "", "p", outputs)]), *record)
        assert [trace["name"] for trace in plain.panel("p").data] == ["loss"]
        banded = board(define([PlotDef("p")], [MeterDef("loss", "", "p", outputs, (), {"band": "std"})]), *record)
        band, line = banded.panel("p").data
        assert (band["x"], band["y"]) == ([0, 1, 2, 2, 1, 0], [-0.5, 0.5, 1.5, 2.5, 1.5, 0.5])
        assert (band["fill"], line["y"]) == ("toself", [0, 1, 2])

    def test_what_is_not_finite_is_marked_where_it_happened(self):
        values = [1.0, float("nan"), 3.0, float("inf"), float("-inf")]
        line, marks = board(*(Record(i, 0.0, {"loss": v}) for i, v in enumerate(values))).panel("loss").data
        assert line["y"] == [1, None, 3, None, None]
        assert (marks["x"], marks["y"], marks["text"]) == ([1, 3, 4], [1, 3, 3], ["NaN", "+Inf", "-Inf"])

    def test_the_latest_of_everything_else_is_shown(self):
        made = board(*(Record(step, 0.0, {}, (Datum("m", "matrix", np.full((2, 2), step)),)) for step in range(3)))
        assert made.panel("m").data[0]["z"] == [[2, 2], [2, 2]]


class TestSending:
    def test_a_window_is_dirty_until_what_was_sent_is_what_it_is(self):
        made = board(LOSS)
        assert made.dirty() == ["loss"]
        version = made.version("loss")
        made.write([Record(0, 0.0, {"train": 1.0})])
        made.mark_clean("loss", version)
        assert made.dirty() == ["loss"]
        made.mark_clean("loss", made.version("loss"))
        assert made.dirty() == []
        made.mark_all_dirty()
        assert made.dirty() == ["loss"]

    def test_only_what_changed_is_dirty(self):
        made = board(Record(0, 0.0, {"a": 1.0, "b": 2.0}))
        for name in made.windows():
            made.mark_clean(name, made.version(name))
        made.write([Record(1, 0.0, {"b": 1.0})])
        assert made.dirty() == ["b"]

    def test_events_and_the_end_are_known(self):
        made = board(Event(0.0, "nonfinite", {}), Event(0.0, "nonfinite", {}), End(0.0, "crashed"))
        assert made.events == {"nonfinite": 2}
        assert made.ended == "crashed"


class TestNewDefinitions:
    def test_data_stays_with_its_names(self):
        made = board(LOSS, Record(0, 0.0, {"train": 1.0, "test": 2.0}, (Datum("m", "matrix", np.eye(2)),)))
        before = lines(made, "loss")
        made.write([define([PlotDef("loss", opts={"ytype": "log"}), PlotDef("m", "heatmap")], [
            MeterDef("train", "", "loss"), MeterDef("test", "", "loss"), MeterDef("m", "", "m"),
        ])])  # fmt: skip
        assert lines(made, "loss") == before
        assert made.panel("loss").layout["yaxis"]["type"] == "log"
        assert made.panel("m").data[0]["z"] == [[1, 0], [0, 1]]

    def test_a_meter_may_move_to_another_plot(self):
        made = board(LOSS, Record(0, 0.0, {"train": 1.0, "test": 2.0}))
        made.write(
            [define([PlotDef("loss"), PlotDef("b")], [MeterDef("train", "", "b"), MeterDef("test", "", "loss")])]
        )
        assert (lines(made, "loss"), lines(made, "b")) == ({"test": [(0, 2)]}, {"train": [(0, 1)]})

    def test_only_plots_that_look_different_are_drawn_again(self):
        plots = [PlotDef("a"), PlotDef("b")]
        made = board(define(plots, []))
        for name in made.windows():
            made.mark_clean(name, made.version(name))
        made.write([define([plots[0], PlotDef("b", opts={"title": "new"})], [])])
        assert made.dirty() == ["b"]

    def test_a_smaller_limit_thins_what_is_there(self):
        made = board(define([PlotDef("p")], [MeterDef("m", "", "p")]))
        made.write([Record(i, 0.0, {"m": float(i)}) for i in range(500)])
        made.write([define([PlotDef("p", max_points=50)], [MeterDef("m", "", "p")])])
        points = lines(made, "p")["m"]
        assert len(points) <= 50
        assert (points[0], points[-1]) == ((0, 0), (499, 499))

    def test_colours_stay_when_meters_are_added_before_the_others(self):
        record = Record(0, 0.0, {"train": 1.0, "test": 2.0})
        made = board(LOSS, record)
        colors = {trace["name"]: trace["line"] for trace in made.panel("loss").data}
        meters = [MeterDef("val", "", "loss"), MeterDef("train", "", "loss"), MeterDef("test", "", "loss")]
        made.write([define([PlotDef("loss")], meters), Record(1, 1.0, {"val": 3.0})])
        after = {trace["name"]: trace["line"] for trace in made.panel("loss").data}
        assert {name: after[name] for name in colors} == colors
        assert after["val"]["color"] not in {line["color"] for line in colors.values()}


class TestColours:
    ITEMS = (
        define([PlotDef("loss")], [MeterDef("a", "", "loss", (Output("", "any"),)), MeterDef("b", "", "loss")]),
        Record(0, 0.0, {"b": 1.0}),
        Record(1, 1.0, {"a": 1.0, "b": 1.0}),
        define([PlotDef("loss")], [MeterDef("b", "", "loss"), MeterDef("c", "", "loss")]),
        Record(2, 2.0, {"c": 1.0, "b": 1.0}),
    )

    def test_they_follow_from_the_log_whenever_it_was_looked_at(self):
        watched = Board()
        for item in self.ITEMS:
            watched.write([item])
            watched.panel("loss")
        assert as_json(watched) == as_json(board(*self.ITEMS))


def test_a_meter_without_a_plot_is_drawn_nowhere_but_may_be_an_axis() -> None:
    hidden = MeterDef("epoch", "", "")
    over = MeterDef("loss", "", "loss")
    made = board(define([PlotDef("loss", x="epoch")], [hidden, over]))
    made.write([Record(0, 0.0, {"epoch": 3.0}), Record(1, 0.1, {"loss": 0.5})])
    assert made.windows() == ["loss"]
    assert made.notes == {}
    assert lines(made, "loss") == {"loss": [(3.0, 0.5)]}
