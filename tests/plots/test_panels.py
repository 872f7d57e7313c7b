"""Every plot type's panel is plain JSON, of the size asked for, its labels as they were written, its colours stable."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flexlogger.plots.board import Board
from flexlogger.plots.catalog import PLOTS
from flexlogger.plots.style import BESIDE, PALETTE
from flexlogger.records import Datum, Definition, Kind, Layout, MeterDef, Output, Panel, PlotDef, Record

TABLE = json.dumps({"columns": ["name", "value"], "rows": [["<b>", 1.5], [None, True], ["x", float("inf")]]})
FIGURE = json.dumps({"data": [{"type": "bar", "y": [1, float("nan")]}], "layout": {"title": {"text": "mine"}}})
VALUES: dict[str, tuple[Kind, Any]] = {
    "scatter": ("points", np.array([[0.0, 1.0, 0], [np.nan, 2.0, 1], [2.0, 3.0, 1]])),
    "bar": ("vector", np.array([1.0, np.inf, np.nan])),
    "histogram": ("histogram", np.array([[0.0, 0.5, 2.0], [3.0, 4.0, 0.0]])),
    "heatmap": ("matrix", np.array([[1.0, np.nan], [-np.inf, 0.5]])),
    "image": ("image", np.zeros((4, 6), np.uint8)),
    "images": ("images", np.zeros((5, 4, 6, 3), np.uint8)),
    "text": ("text", "a <b>note</b> & more"),
    "table": ("table", TABLE),
    "curve": ("curve", np.array([[0.0, np.nan, 1.0], [0.0, 0.5, np.inf]])),
    "plotly": ("figure", FIGURE),
    "matplotlib": ("image", np.zeros((30, 40, 4), np.uint8)),
}
FIGURES = sorted(set(PLOTS) - {"image", "images", "text", "table", "matplotlib"})


def drawn(plot: PlotDef, meters: list[MeterDef], *records: Record, layout: Layout | None = None) -> Panel:
    board = Board()
    board.write([Definition(0.0, (plot,), tuple(meters), layout or Layout()), *records])
    panel = board.panel(plot.name)
    assert not board.notes
    return plain(panel)


def plain(panel: Panel) -> Panel:
    """Return the panel as it arrives, having checked that JSON has a word for everything in it."""
    parts = json.loads(json.dumps([panel.title, panel.data, panel.layout, panel.opts], allow_nan=False))
    assert isinstance(panel.title, str)
    assert panel.opts["title"] == panel.title
    assert len(panel.data) >= 1
    return Panel(*parts)


def panel_of(kind: str, opts: dict[str, Any] | None = None, layout: Layout | None = None, value: Any = None) -> Panel:
    """A plot of one type with one meter, which was logged once at step 7."""
    plot = PlotDef("p", kind, opts or {})
    if kind == "line":
        records = [Record(7, 0.0, {"m": 1.0 if value is None else value})]
        return drawn(plot, [MeterDef("m", "M", "p")], *records, layout=layout)
    of, usual = VALUES[kind]
    record = Record(7, 0.0, {}, (Datum("m", of, usual if value is None else value),))
    return drawn(plot, [MeterDef("m", "M", "p", (Output("", of),))], record, layout=layout)


def lines(opts: dict[str, Any], *series: tuple[str, list[float]], **meter: Any) -> Panel:
    """A line plot of these series over 0, 1, 2 …"""
    records = [Record(step, 0.0, {name: y}) for name, ys in series for step, y in enumerate(ys)]
    names = dict.fromkeys(name.split(".")[0] for name, _ in series)
    return drawn(PlotDef("p", "line", opts), [MeterDef(name, "M", "p", **meter) for name in names], *records)


class TestEveryType:
    @pytest.mark.parametrize("kind", PLOTS)
    def test_a_panel_is_json_with_a_title(self, kind: str):
        assert panel_of(kind).title == "p"
        assert panel_of(kind, {"title": "<mine> ü 5"}).title == "<mine> ü 5"

    @pytest.mark.parametrize("kind", PLOTS)
    def test_without_values_it_is_a_window_that_says_so(self, kind: str):
        panel = drawn(PlotDef("p", kind), [MeterDef("m", "M", "p", (Output("", VALUES.get(kind, ["scalar"])[0]),))])
        assert "no values yet" in json.dumps([panel.data, panel.layout]) or "no image yet" in str(panel.data)

    @pytest.mark.parametrize("kind", sorted({*FIGURES, "text", "table"}))
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
        panel = panel_of(kind, {"layout": {"xaxis": {"nticks": 3}, "font": {"size": 20}}, "showlegend": True})
        assert panel.layout["xaxis"]["nticks"] == 3
        assert panel.layout["font"]["size"] == 20
        assert panel.layout["showlegend"] is True
        assert panel_of(kind, {"layoutopts": {"plotly": {"bargap": 0.7}}}).layout["bargap"] == 0.7

    @pytest.mark.parametrize("kind", sorted(set(FIGURES) - {"plotly"}))
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


class TestArrays:
    def test_a_matrix_has_row_0_on_top_and_its_labels_on_both_axes(self):
        panel = panel_of("heatmap", {"labels": ["cat", "cat"]}, value=np.array([[0.9, 0.1], [0.0, 1.0]]))
        assert panel.layout["yaxis"]["autorange"] == "reversed"
        assert panel.layout["xaxis"]["tickvals"] == [0, 1], "equal labels stay two entries"
        assert panel.data[0]["text"] == [["0.90", "0.10"], ["", "1.00"]]

    def test_numbers_in_cells_are_smaller_where_cells_are(self):
        sizes = [
            panel_of("heatmap", {"width": w}, value=np.full((9, 10), 0.25)).data[0]["textfont"] for w in (600, 337)
        ]
        assert [size["size"] for size in sizes] == [11, 8]

    def test_a_matrix_of_both_signs_is_white_at_zero(self):
        cells = panel_of("heatmap", value=np.array([[-1.0, 3.0]])).data[0]
        assert (cells["zmin"], cells["zmax"]) == (-3, 3)

    def test_large_matrices_carry_no_numbers_unless_asked(self):
        assert "text" not in panel_of("heatmap", value=np.ones((13, 2))).data[0]
        assert "text" in panel_of("heatmap", {"annotate": True}, value=np.ones((13, 2))).data[0]
        asked = panel_of("heatmap", {"colormap": "Viridis", "xmin": -2, "xmax": 5}).data[0]
        assert (asked["colorscale"], asked["zmin"], asked["zmax"]) == ("Viridis", -2, 5)

    def test_bins_are_as_wide_as_their_edges_are_apart(self):
        bars = panel_of("histogram").data[0]
        assert (bars["x"], bars["width"], bars["y"], bars["offset"]) == ([0, 0.5], [0.5, 1.5], [3, 4], 0)

    def test_a_vector_is_counted_into_bins(self):
        record = Record(0, 0.0, {}, (Datum("m", "vector", np.array([0.0, 1.0, 4.0, np.nan])),))
        meter = MeterDef("m", "", "p", (Output("", "vector"),))
        assert drawn(PlotDef("p", "histogram", {"numbins": 2}), [meter], record).data[0]["y"] == [2, 1]

    def test_classes_keep_their_colour_where_one_is_missing(self):
        both = panel_of("scatter", {"legend": ["cat", "dog"]}, value=np.array([[0, 0, 0], [1, 1, 1]])).data
        one = panel_of("scatter", {"legend": ["cat", "dog"]}, value=np.array([[1, 1, 1]])).data
        assert [t["name"] for t in both] == ["cat", "dog"]
        assert one[0]["marker"] == both[1]["marker"]

    def test_more_classes_than_eyes_can_tell_apart_are_a_colour_scale(self):
        (cloud,) = panel_of("scatter", value=np.column_stack([np.zeros((500, 2)), np.arange(500) / 7])).data
        assert len(cloud["marker"]["color"]) == 500
        assert cloud["marker"]["showscale"] is True

    def test_bars_stand_side_by_side_or_stacked(self):
        data = tuple(Datum(name, "vector", np.array([1.0, 2.0])) for name in "ab")
        meters = [MeterDef(name, "", "p", (Output("", "vector"),), ("x", "y")) for name in "ab"]
        panel = drawn(PlotDef("p", "bar", {"stacked": True}), meters, Record(0, 0.0, {}, data))
        assert panel.layout["barmode"] == "stack"
        assert [t["name"] for t in panel.data] == ["a", "b"]
        assert panel.layout["xaxis"]["ticktext"] == ["x", "y"]
        assert len({t["marker"]["color"] for t in panel.data}) == 2

    @pytest.mark.parametrize(("type_", "diagonal"), [("AUCMeter", True), ("PrecisionRecallCurve", False)])
    def test_a_roc_curve_has_its_diagonal_and_says_its_area(self, type_: str, diagonal: bool):
        record = Record(0, 0.0, {"m": 0.75}, (Datum("m.curve", "curve", np.array([[0.0, 1.0], [0.0, 1.0]])),))
        panel = drawn(PlotDef("p", "curve"), [MeterDef("m", type_, "p", (Output(), Output(".curve", "curve")))], record)
        assert ("chance" in [t["name"] for t in panel.data]) is diagonal
        assert "m: 0.75" in panel.layout["annotations"][0]["text"]
        assert "m" in [t["name"] for t in panel.data]

    def test_packed_and_odd_numbers_of_plotly_are_unpacked(self):
        packed = {
            "dtype": "i2",
            "bdata": base64.b64encode(np.arange(4, dtype="<i2").tobytes()).decode(),
            "shape": "2, 2",
        }
        panel = panel_of("plotly", value=json.dumps({"data": [{"type": "heatmap", "z": packed}]}))
        assert panel.data[0]["z"] == [[0, 1], [2, 3]]
        assert panel_of("plotly").layout["title"] == {"text": "mine"}


def picture(panel: Panel) -> np.ndarray[Any, Any]:
    _, _, encoded = panel.data[0]["content"]["src"].partition("base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def inked(image: np.ndarray[Any, Any]) -> tuple[float, float, float, float]:
    """Where the picture is not white: top, bottom, left, right, as shares of its sides."""
    rows, columns = (np.flatnonzero((image < 250).any((1 - side, 2))) for side in (0, 1))
    height, width = image.shape[:2]
    return rows[0] / height, (rows[-1] + 1) / height, columns[0] / width, (columns[-1] + 1) / width


class TestImages:
    @pytest.mark.parametrize("shape", [(8, 8), (64, 32), (32, 64), (300, 300), (1000, 20)])
    @pytest.mark.parametrize("layout", [{}, {"width": 453}, {"height": 300}, {"width": 453, "height": 300}])
    @pytest.mark.parametrize("caption", ["", "step {step}"])
    def test_all_of_an_image_is_seen_in_its_own_proportions(
        self, shape: tuple[int, int], layout: dict[str, int], caption: str
    ):
        opts = {"caption": caption} if caption else {}
        panel = panel_of("image", opts, Layout(**layout), np.zeros(shape, np.uint8))
        image = picture(panel)
        rows = -(-(panel.opts["height"] + 24) // 15) + bool(caption)
        pane = rows * 15 - 10  # as high as the page makes it
        top, bottom, left, right = inked(image)
        assert bottom * (pane + 1) <= pane - 14 - 20 * bool(caption) + 1, "under the title bar or the caption"
        across, down = (right - left) * (panel.opts["width"] + 1), (bottom - top) * (pane + 1)
        assert across / down == pytest.approx(shape[1] / shape[0], rel=0.15 if min(shape) < 30 else 0.05)
        assert image.shape[1] / image.shape[0] == pytest.approx((panel.opts["width"] + 1) / (pane + 1), rel=0.05)

    def test_a_caption_says_the_step_and_takes_no_room_of_the_layout(self):
        panel = panel_of("image", {"caption": "step {step}"}, Layout(width=300, height=300))
        assert panel.data[0]["content"]["caption"] == "step 7"
        assert panel.opts["height"] == 285, "the page adds a row of 15 pixels for it"

    def test_a_tiny_image_is_enlarged_with_sharp_pixels(self):
        checkers = np.array([[0, 255], [255, 0]], np.uint8)
        assert set(np.unique(picture(panel_of("image", value=checkers)))) == {0, 255}

    def test_transparent_pixels_are_white(self):
        assert (picture(panel_of("matplotlib")) == 255).all()

    def test_a_figure_too_large_for_its_pane_is_made_smaller_smoothly(self):
        stripes = np.zeros((600, 800, 3), np.uint8)
        stripes[::2] = 255
        image = picture(panel_of("matplotlib", layout=Layout(width=400, height=300), value=stripes))
        assert image.shape[1] <= 401
        assert 100 < image[image.shape[0] // 2, image.shape[1] // 2, 0] < 160

    def test_jpeg_where_asked_for(self):
        assert panel_of("image", {"jpgquality": 60}).data[0]["content"]["src"].startswith("data:image/jpeg")

    def test_a_batch_is_a_grid(self):
        batch = np.stack([np.full((6, 6), 40 * n, np.uint8) for n in range(6)])
        image = picture(panel_of("images", {"nrow": 3, "padding": 1}, value=batch))
        greys = [int(v) for v in np.unique(image) if v < 255]
        assert greys == [0, 40, 80, 120, 160, 200]
        places = [np.argwhere(image[:, :, 0] == grey).mean(0) for grey in greys]
        assert all(places[n][0] < places[n + 3][0] - 5 for n in range(3))
        assert places[0][1] < places[1][1] < places[2][1]

    def test_images_that_do_not_fit_are_counted(self):
        batch = np.zeros((200, 100, 2), np.uint8)
        panel = panel_of("images", {"nrow": 1}, value=batch)
        assert "of 200" in panel.data[0]["content"]["caption"]
        assert max(picture(panel).shape) <= 4096 + 200
