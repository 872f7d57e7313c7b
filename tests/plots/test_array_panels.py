"""Matrices, histograms, points, bars, curves and images: what their panels hold."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flexlogger.records import Datum, Layout, MeterDef, Output, Panel, PlotDef, Record
from tests.plots.panels import drawn, panel_of


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
