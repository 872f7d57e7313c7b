"""A board takes any log, in any order, in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexlogger import faults
from flexlogger.plots import routing, store
from flexlogger.plots.board import Board
from flexlogger.records import (
    Datum,
    Item,
    MeterDef,
    PlotDef,
    Record,
)
from flexlogger.rows import Rows
from tests.plots.boards import LOSS, as_json, board, define, lines


class TestBounds:
    def test_a_million_points_stay_within_the_limit_with_their_extremes(self):
        steps, made = np.arange(1_000_000), board(define([PlotDef("p", max_points=500)], [MeterDef("m", "", "p")]))
        values = np.sin(steps / 1e4)
        values[123_456], values[654_321] = 7.0, -7.0
        for start in range(0, len(steps), 100_000):
            made.write([Record(i, 0.0, {"m": float(values[i])}) for i in range(start, start + 100_000)])
        points = dict(lines(made, "p")["m"])
        assert len(points) <= 500
        assert (points[123_456], points[654_321]) == (7, -7)
        assert {0, 999_999} <= points.keys()

    def test_ever_new_names_are_bounded_and_noted_once_each_way(self, caplog):
        caplog.set_level(logging.WARNING, "flexlogger")
        made = Board()
        for batch in range(30):
            made.write([Record(i, 0.0, {f"name{batch}-{i}": 1.0}) for i in range(1000)])
        assert len(made.windows()) == routing.MAX_AUTOMATIC
        assert len(made._store.latest) <= 10_000
        assert len(made._routes) <= 10_000
        assert len(caplog.records) <= 2

    def test_ever_new_outputs_of_one_meter_are_bounded(self):
        made = board(define([PlotDef("p")], [MeterDef("m", "", "p")]))
        made.write([Record(i, 0.0, {f"m.{i}": 1.0}) for i in range(store.MAX_LINES + 500)])
        assert len(made._store.lines) == store.MAX_LINES
        assert f"more than {store.MAX_LINES:,} lines" in str(made.notes)

    def test_the_more_lines_there_are_the_fewer_points_has_each(self):
        names = [f"m{i}" for i in range(store.MAX_LINES)]
        steps = np.arange(3000.0)
        values = np.random.default_rng(0).normal(size=(len(names), len(steps)))
        values[7, 1234] = 99.0
        for count, most in ((240, 2000), (241, 1875), (480, 937), (1000, 468)):
            plots = [PlotDef(f"p{i}") for i in range(20)]
            meters = [MeterDef(name, "", f"p{i % 20}") for i, name in enumerate(names[:count])]
            made = board(define(plots, meters))
            for start in range(0, 3000, 1000):
                part = slice(start, start + 1000)
                made.write(Rows(tuple(names[:count]), steps[part], steps[part], values[:count, part], True))
            shown = {name: dict(points) for plot in made.windows() for name, points in lines(made, plot).items()}
            assert {len(points) <= most for points in shown.values()} == {True}
            assert max(map(len, shown.values())) > most / 2
            assert sum(map(len, shown.values())) <= store.MOST_POINTS
            assert shown["m7"][1234] == 99
            assert all({0, 2999} <= points.keys() for points in shown.values())

    def test_lines_have_their_room_again_where_there_is_some(self):
        meters = [MeterDef(f"m{i}", "", "p") for i in range(240)]
        made, steps = Board(), np.arange(5000.0)
        for x, asked, room in (("step", 4000, 1875), ("step", 2000, 2000), ("time", 2000, 2000)):
            made.write([define([PlotDef("p", x=x, max_points=asked)], meters)])
            values = np.random.default_rng(0).normal(size=(240, 5000))
            made.write(Rows(tuple(meter.name for meter in meters), steps, steps, values, True))
            assert {line.max_points for line in made._store.lines.values()} == {room}
            assert room / 2 < max(map(len, lines(made, "p").values())) <= room

    def test_a_line_that_asks_for_few_points_has_them_among_many_others(self):
        plots = [PlotDef("few", max_points=100), PlotDef("many")]
        meters = [MeterDef(f"m{i}", "", "many" if i else "few") for i in range(400)]
        made = board(define(plots, meters))
        steps = np.arange(3000.0)
        made.write(Rows(tuple(m.name for m in meters), steps, steps, np.tile(np.sin(steps), (400, 1)), True))
        assert 50 < len(lines(made, "few")["m0"]) <= 100


kinds = st.sampled_from(
    ["scalar", "vector", "matrix", "curve", "points", "histogram", "image", "images", "text", "table", "figure", "any"]
)
shapes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 40]), max_size=4).filter(lambda s: int(np.prod(s)) < 10_000)
numbers = st.one_of(st.floats(), st.integers(-(10**400), 10**400), st.none(), st.text(max_size=3), st.booleans())


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype = draw(st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "c16", "O", "U3"]))
    made = np.resize(np.array(draw(st.lists(st.floats(width=16), min_size=1, max_size=5))), draw(shapes))
    with np.errstate(all="ignore"):
        return np.nan_to_num(made).astype(dtype) if np.dtype(dtype).kind in "iu" else made.astype(dtype)


documents = st.sampled_from(
    ['{"columns": ["a"], "rows": [[1], 2, [[3]], [null, "x"]]}', '{"data": [{"y": [1]}]}', "{", "[]"]
)
values = st.one_of(arrays(), st.text(max_size=5), documents, st.none())
datums = st.builds(Datum, st.sampled_from(["a", "b", "b.c"]), kinds, values)
records = st.builds(
    Record,
    st.one_of(st.integers(-5, 5), numbers),
    numbers,
    st.dictionaries(st.sampled_from(["a", "b", "b.std", "c@5", ""]), numbers, max_size=3),
    st.lists(datums, max_size=2).map(tuple),
)
types = st.sampled_from([*routing.PLOTS, "hologram"])
definitions = st.builds(
    lambda kind, x: define([PlotDef("p", kind, x=x)], [MeterDef("a", "", "p"), MeterDef("b", "", "nowhere")]),
    types,
    st.sampled_from(["step", "time", "a", "c"]),
)


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@given(st.lists(st.one_of(records, records, definitions), max_size=8))
def test_no_log_makes_a_board_raise_and_every_panel_is_json(items: list[Item]):
    faults.forget()
    made = Board()
    made.write(items)
    made.write([None, "odd", 3])  # type: ignore[list-item]
    as_json(made)
    assert faults.seen == []


@settings(max_examples=50)
@given(st.permutations(range(40)), st.integers(1, 40))
def test_the_order_of_arrival_makes_no_difference_to_lines(order: list[int], cut: int):
    def record(step: int) -> Record:
        values = {"train": step * 0.5, "test": -1.0 * step} if step % 3 else {"train": float(step)}
        return Record(step, float(step), values)

    def panels(steps: Sequence[int]) -> dict[str, str]:
        made = Board()
        made.write([LOSS, *map(record, steps[:cut])])
        made.write([record(step) for step in steps[cut:]])
        return as_json(made)

    assert panels(order) == panels(range(40))
