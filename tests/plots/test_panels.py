"""Every plot type's panel is plain JSON, of the size asked for, its labels as they were written, its colours stable."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flexlogger.plots.board import Board
from flexlogger.plots.catalog import PLOTS
from flexlogger.plots.style import BESIDE, PALETTE
from flexlogger.records import Datum, Definition, Layout, MeterDef, Output, PlotDef, Record
from tests.plots.panels import FIGURES, FLAT, PANES, VALUES, drawn, lines, panel_of


class TestEveryType:
    @pytest.mark.parametrize("kind", PLOTS)
    def test_a_panel_is_json_with_a_title(self, kind: str):
        assert panel_of(kind).title == "p"
        assert panel_of(kind, {"title": "<mine> ü 5"}).title == "<mine> ü 5"

    @pytest.mark.parametrize("kind", PLOTS)
    def test_without_values_it_is_a_window_that_says_so(self, kind: str):
        panel = drawn(PlotDef("p", kind), [MeterDef("m", "M", "p", (Output("", VALUES.get(kind, ["scalar"])[0]),))])
        assert "no values yet" in json.dumps([panel.data, panel.layout]) or "no image yet" in str(panel.data)

    @pytest.mark.parametrize("kind", sorted({*FIGURES, *PANES, "properties"}))
    def test_a_size_is_said_only_where_it_was_asked_for(self, kind: str):
        assert set(panel_of(kind).opts) == {"title"}
        assert panel_of(kind, {"width": 300}).opts == {"title": "p", "width": 300}
        assert panel_of(kind, layout=Layout(width=500, height=400)).opts == {"title": "p", "width": 500, "height": 400}
        assert panel_of(kind, {"width": 300}, Layout(width=500)).opts["width"] == 300

    @pytest.mark.parametrize("kind", ["image", "images", "matplotlib"])
    def test_an_image_says_its_size_always(self, kind: str):
        assert {"width", "height"} <= panel_of(kind).opts.keys()
        asked = panel_of(kind, layout=Layout(width=500, height=400)).opts
        assert (asked["width"], asked["height"]) == (500, 400)

    def test_columns_share_the_page(self):
        opts = [panel_of("line", layout=Layout(columns=columns)).opts for columns in (1, 2, 3, 4)]
        assert all(columns * (size["width"] + 10) <= 1400 for columns, size in enumerate(opts, 1))
        assert all(220 <= size["height"] <= 420 for size in opts)

    @pytest.mark.parametrize("kind", FIGURES)
    def test_the_users_layout_has_the_last_word(self, kind: str):
        panel = panel_of(kind, {"layout": {"margin": {"pad": 3}, "font": {"size": 20}}, "showlegend": True})
        assert panel.layout["margin"]["pad"] == 3
        assert panel.layout["font"]["size"] == 20
        assert panel.layout["showlegend"] is True
        assert panel_of(kind, {"layoutopts": {"plotly": {"bargap": 0.7}}}).layout["bargap"] == 0.7

    @pytest.mark.parametrize("kind", FLAT)
    def test_axes_do_as_they_are_told(self, kind: str):
        opts = {"xlabel": "<x>", "ytype": "log", "xtickmin": 1, "xtickmax": 100, "ytickmin": 1, "ytickmax": 100}
        layout = panel_of(kind, opts).layout
        assert layout["xaxis"]["title"]["text"] == "&lt;x&gt;"
        assert layout["xaxis"]["range"] == [1, 100]
        assert (layout["yaxis"]["type"], layout["yaxis"]["range"]) == ("log", [0, 2])


class TestText:
    def test_text_is_shown_as_it_is_written(self):
        content = panel_of("text").data[0]["content"]
        assert "a &lt;b&gt;note&lt;/b&gt; &amp; more" in content
        assert "a <b>note</b> & more" in panel_of("text", {"html": True}).data[0]["content"]

    def test_table_cells_and_heads_are_shown_as_they_are_written(self):
        table = json.dumps({"columns": ["<i>"], "rows": [["<script>"], [3]]})
        content = panel_of("table", value=table).data[0]["content"]
        assert "&lt;i&gt;" in content
        assert "&lt;script&gt;" in content
        assert "<script>" not in content
        assert "<script>" in panel_of("table", {"html": True}, value=table).data[0]["content"]

    def test_numbers_stand_on_the_right_and_missing_cells_are_empty(self):
        content = panel_of("table").data[0]["content"]
        assert 'text-align:right">1.5</td>' in content
        assert 'text-align:right">inf</td>' in content
        assert 'text-align:left"></td>' in content
        assert 'text-align:left">True</td>' in content

    def test_long_tables_say_how_long_they_are(self):
        table = json.dumps({"columns": ["n"], "rows": [[n] for n in range(1200)]})
        content = panel_of("table", value=table).data[0]["content"]
        assert content.count("<tr>") == 1001
        assert "first 1,000 of 1,200 rows" in content

    @pytest.mark.parametrize("kind", ["text", "table"])
    def test_scalars_are_listed(self, kind: str):
        panel = drawn(PlotDef("p", kind), [MeterDef("<a>", "M", "p")], Record(3, 0.0, {"<a>": 0.25}))
        assert "&lt;a&gt;" in panel.data[0]["content"]
        assert "0.25" in panel.data[0]["content"]

    def test_names_are_no_html_for_plotly(self):
        assert lines({}, ("<unk>", [1.0])).data[0]["name"] == "&lt;unk&gt;"
        heatmap = panel_of("heatmap", {"labels": ["<pad>", "&"]}).layout
        assert heatmap["xaxis"]["ticktext"] == heatmap["yaxis"]["ticktext"] == ["&lt;pad&gt;", "&amp;"]


class TestLines:
    def test_colours_stay_when_a_trace_appears_later(self):
        board = Board()
        board.write([Record(0, 0.0, {"a": 1.0})])
        meters = tuple(MeterDef(name, "", "p") for name in "abc")
        board.write([Definition(0.0, (PlotDef("p"),), meters), Record(0, 0.0, {"c": 1.0})])
        before = {trace["name"]: trace["line"] for trace in board.panel("p").data}
        board.write([Record(1, 0.0, {"b": 2.0}), Record(1, 0.0, {"a.x": 1.0})])
        after = {trace["name"]: trace["line"] for trace in board.panel("p").data}
        assert after["c"] == before["c"]
        assert {"b", "a", "a.x", "c"} == set(after)
        assert len({line["color"] for line in after.values()}) == 4

    @pytest.mark.parametrize("output", [Output("", "vector"), Output("", "any")])
    def test_ten_entries_have_ten_colours_and_no_dashes(self, output: Output):
        board = Board()
        board.write([Definition(0.0, (PlotDef("p"),), (MeterDef("f1", "", "p", (output,)),))])
        board.panel("p")
        board.write([Record(0, 0.0, {}, (Datum("f1", "vector", np.arange(10.0)),))])
        looks = [trace["line"] for trace in board.panel("p").data]
        assert [look["color"] for look in looks] == list(PALETTE)
        assert {look["dash"] for look in looks} == {"solid"}

    def test_two_meters_of_the_same_parts_share_colours_and_differ_by_dash(self):
        panel = lines({}, *((f"{phase}.{part}", [1.0]) for phase in ("train", "test") for part in ("a", "b")))
        looks = {trace["name"]: (trace["line"]["color"], trace["line"]["dash"]) for trace in panel.data}
        assert len(set(looks.values())) == 4
        assert looks["train.a"][0] == looks["test.a"][0] != looks["train.b"][0]

    def test_thirty_two_entries_are_told_apart(self):
        board = Board()
        board.write([Record(0, 0.0, {}, (Datum("v", "vector", np.arange(32.0)),))])
        assert len({(t["line"]["color"], t["line"]["dash"]) for t in board.panel("v").data}) == 32

    @pytest.mark.parametrize("declared", [True, False])
    def test_more_parts_than_colours_are_told_apart_in_several_meters(self, declared: bool):
        parts = [f".{n}" for n in range(12)]
        outputs = tuple(Output(part) for part in parts) if declared else ()
        meters = [MeterDef(name, "M", "p", outputs) for name in ("mean", "std")]
        values = {f"{meter.name}{part}": 1.0 for meter in meters for part in parts}
        looks = {trace["name"]: trace["line"] for trace in drawn(PlotDef("p"), meters, Record(0, 0.0, values)).data}
        assert len({(look["color"], look["dash"]) for look in looks.values()}) == 24
        assert [looks[f"mean{part}"]["color"] for part in parts] == [*PALETTE, *PALETTE[:2]]
        assert {looks[f"mean{part}"]["dash"] for part in parts[:10]} == {"solid"}
        assert {looks[f"std{part}"]["dash"] for part in parts[:10]} == {"dash"}
        assert {look["width"] for look in looks.values()} == {2}

    def test_as_many_lines_as_there_are_looks_are_told_apart(self):
        meters = [MeterDef(name, "M", "p", tuple(Output(f".{n}") for n in range(50))) for name in "abc"]
        values = {f"{meter.name}.{n}": 1.0 for meter in meters for n in range(50)}
        data = drawn(PlotDef("p"), meters, Record(0, 0.0, values)).data
        assert len({(t["line"]["color"], t["line"]["dash"], t["line"]["width"]) for t in data}) == 150

    def test_lines_without_parts_look_as_they_always_did(self):
        panel = lines({}, *((f"m{n}", [1.0]) for n in range(12)))
        assert [trace["line"]["dash"] for trace in panel.data] == [*["solid"] * 10, "dash", "dash"]

    def test_display_decides(self):
        panel = lines({}, ("a", [1.0, 2.0]), display={"color": "teal", "dash": "dot", "width": 3})
        assert panel.data[0]["line"] == {"color": "teal", "dash": "dot", "width": 3}

    def test_a_long_legend_stands_beside_the_figure(self):
        few = lines({}, *((f"m{n}", [1.0]) for n in range(BESIDE))).layout
        many = lines({}, *((f"m{n}", [1.0]) for n in range(BESIDE + 1))).layout
        assert few["showlegend"] is many["showlegend"] is True
        assert few["legend"]["orientation"] == "h"
        assert (many["legend"].get("orientation", "v"), many["legend"]["x"] > 1) == ("v", True)

    def test_a_lone_line_needs_no_legend(self):
        assert lines({}, ("a", [1.0, 2.0])).layout["showlegend"] is False

    def test_thousands_are_written_in_thousands(self):
        assert lines({}, ("a", [12_000.0])).layout["yaxis"]["exponentformat"] == "SI"
        assert lines({}, ("a", [1e-5])).layout["yaxis"]["exponentformat"] == "power"
        assert lines({"ytype": "log"}, ("a", [12_000.0])).layout["yaxis"]["exponentformat"] == "power"

    def test_a_band_ends_above_zero_on_a_log_axis(self):
        records = [Record(i, 0.0, {"a": value, "a.std": 0.5}) for i, value in enumerate([1.0, 0.25])]
        outputs = (Output(), Output(".std", drawn=False))
        meter = MeterDef("a", "", "p", outputs, (), {"band": "std"})
        band, _ = drawn(PlotDef("p", "line", {"ytype": "log"}), [meter], *records).data
        assert band["y"] == [0.5, 0.25, 0.75, 1.5]
        assert (band["showlegend"], band["hoverinfo"]) == (False, "skip")

    def test_points_that_no_line_reaches_are_marked(self):
        assert lines({}, ("a", [1.0])).data[0]["mode"] == "lines+markers"
        assert lines({}, ("a", [1.0, float("nan"), 2.0])).data[0]["mode"] == "lines+markers"
        assert lines({}, ("a", [1.0, 2.0])).data[0]["mode"] == "lines"

    def test_nothing_but_nan_is_still_marked(self):
        line, marks = lines({}, ("a", [float("nan"), float("inf")])).data
        assert line["y"] == [None, None]
        assert (marks["x"], marks["text"]) == ([0, 1], ["NaN", "+Inf"])

    def test_smoothing_leaves_the_raw_line_behind_it(self):
        raw, smooth = lines({"smoothing": 0.5}, ("a", [0.0, 1.0])).data
        assert (raw["y"], raw["showlegend"]) == ([0, 1], False)
        assert smooth["y"] == pytest.approx([0, 2 / 3])

    def test_names_can_be_replaced(self):
        assert [t["name"] for t in lines({"legend": ["one"]}, ("a", [1.0]), ("b", [1.0])).data] == ["one", "b"]
