"""Tables: cells of anything, JSON and back, and what a real server shows of them in a real browser."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser

from flexlogger.errors import UnknownNameError, ValueRefusedError
from flexlogger.plots.table import BYTES, ROWS
from flexlogger.server.process import ServerProcess
from flexlogger.tracking.media import Histogram, Html, Image
from flexlogger.tracking.table import Table
from tests.tracking.shown import Dashboard, dashboard, logged

XY = ["x", "y"]


class Frame:
    """What a table takes of a data frame of pandas': columns, rows, and a choice of columns."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._cells = columns
        self.columns = list(columns)

    def __getitem__(self, names: list[str]) -> Frame:
        return Frame({name: self._cells[name] for name in names})

    def itertuples(self, index: bool, name: None) -> Iterator[tuple[Any, ...]]:
        assert index is False
        return zip(*self._cells.values(), strict=True)


class TestRows:
    def test_of_lists(self) -> None:
        table = Table(data=[[1, 2.5], (3, "four")], columns=XY)
        assert table.data == [[1, 2.5], [3, "four"]]
        assert (table.columns, len(table)) == (XY, 2)

    def test_of_dicts(self) -> None:
        table = Table([{"x": 1}, {"y": 2, "x": 3}])
        assert (table.columns, table.data) == (XY, [[1, None], [3, 2]])
        assert Table([{"x": 1, "z": 0}], columns=XY).data == [[1, None]]

    def test_of_arrays(self) -> None:
        assert Table(np.eye(2), columns=XY).data == [[1.0, 0.0], [0.0, 1.0]]
        assert Table(torch.arange(4).reshape(2, 2)).data == [[0, 1], [2, 3]]
        assert Table(np.eye(2)).columns == ["0", "1"]

    @pytest.mark.parametrize("argument", ["data", "dataframe"])
    def test_of_a_frame(self, argument: str) -> None:
        frame = Frame({"word": ["cat", "dog"], "n": [np.int64(3), float("nan")]})
        table = Table(**{argument: frame})
        assert table.columns == ["word", "n"]
        assert table.data[0] == ["cat", 3]
        assert math.isnan(table.data[1][1])
        assert Table(frame, columns=["n"]).get_column("n")[0] == 3

    def test_of_pandas(self) -> None:
        pandas = pytest.importorskip("pandas")
        words = pandas.array(["a", pandas.NA], dtype="string")
        frame = pandas.DataFrame({"n": [1, 2], "t": pandas.to_datetime(["2026-01-02", None]), "w": words})
        assert Table(frame).data == [[1, "2026-01-02 00:00:00", "a"], [2, None, None]]
        assert Table(dataframe=frame, columns=["w"]).data == [["a"], [None]]

    def test_grow(self) -> None:
        table = Table(columns=["x"])
        table.add_data(1)
        table.add_data(2)
        table.add_column("y", np.array([3.0, 4.0]))
        assert table.data == [[1, 3.0], [2, 4.0]]
        empty = Table()
        empty.add_column("first", ["a", "b"])
        assert empty.data == [["a"], ["b"]]

    def test_columns_come_back(self) -> None:
        table = Table([[1, 2], [3, 4]], columns=XY)
        assert table.get_column("y") == [2, 4]
        assert table.get_column("y", convert_to="numpy").tolist() == [2, 4]

    def test_a_copy_does_not_grow_with_the_table(self) -> None:
        table = Table([[1]], columns=["x"])
        copy = table.copy()
        table.add_data(2)
        table.add_column("y", [0, 0])
        assert (copy.columns, copy.data) == (["x"], [[1]])
        assert table.nbytes > copy.nbytes

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: Table([[1, 2], [3]], columns=XY), r"row 1: expected 2 cells \(x, y\), but got 1"),
            (lambda: Table(columns=XY).add_data(1, 2, 3), r"row 0: expected 2 cells \(x, y\), but got 3"),
            (lambda: Table([1, 2], columns=["x"]), "row 0: expected a list of cells, but got 1"),
            (lambda: Table(["ab"], columns=XY), "row 0: expected a list of cells, but got 'ab'"),
            (lambda: Table([], columns=["x", "x"]), "'x' twice"),
            (lambda: Table([[1]], columns=["x"]).add_column("x", [2]), "'x' twice"),
            (lambda: Table([[1]], columns=["x"]).add_column("y", [2, 3]), "column 'y': expected 1 cells, but got 2"),
            (lambda: Table([[1]], ["x"], Frame({"x": [1]})), "data or dataframe, but got both"),
            (lambda: Table([[1]], ["x"]).get_column("x", convert_to="list"), "expected 'numpy' or None"),
        ],
    )
    def test_refuses(self, make: Any, told: str) -> None:
        with pytest.raises(ValueRefusedError, match=told):
            make()

    def test_an_unknown_column_has_its_nearest_name(self) -> None:
        with pytest.raises(UnknownNameError, match="unknown column 'prediction'; did you mean 'predictions'"):
            Table(columns=["predictions", "truth"]).get_column("prediction")


ODD = [
    (None, None),
    (True, True),
    (np.bool_(False), False),
    (np.float32(0.5), 0.5),
    (torch.tensor([3]), 3),
    (10**40, 10**40),
    ("<b>", "<b>"),
    ("NaN", "NaN"),
    (np.str_("s"), "s"),
    (float("inf"), float("inf")),
    (-float("inf"), -float("inf")),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (np.datetime64("2026-01-02"), "2026-01-02"),
    ([1, "two"], "[1, 'two']"),
    ({"image": "no"}, "{'image': 'no'}"),
    (Html("<i>x</i>"), "<i>x</i>"),
    (Histogram([1, 2, 4], num_bins=2), "3 values from 1 to 4"),
    ("lone \ud800", "lone ?"),
]


class TestJson:
    @pytest.mark.parametrize(("cell", "kept"), ODD)
    def test_every_cell_comes_back_as_it_was_kept(self, cell: Any, kept: Any) -> None:
        table = Table([[cell]], columns=["x"])
        assert (table.data, type(table.data[0][0])) == ([[kept]], type(kept))
        assert Table.from_json(table.to_json()).data == [[kept]]

    def test_nan_comes_back(self) -> None:
        (cell,) = Table.from_json(Table([[np.nan]], columns=["x"]).to_json()).data[0]
        assert math.isnan(cell)

    def test_images_come_back_pixel_by_pixel(self) -> None:
        array = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
        table = Table([[Image(array, caption="noise")], [Image(array[:, :, 0])]], columns=["image"])
        first, second = Table.from_json(table.to_json()).get_column("image")
        assert np.array_equal(first.pixels(), array)
        assert first.caption == "noise"
        assert np.array_equal(second.pixels(), array[:, :, 0])

    def test_it_is_json_of_the_standard(self) -> None:
        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        table = Table([[float("nan"), "ü"]], columns=XY)
        assert json.loads(table.to_json(), parse_constant=refuse)["rows"] == [[{"number": "NaN"}, "ü"]]

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"columns": ["x"], "rows": [[1, 2]]}', '{"columns": 1}'])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueRefusedError, match="Table"):
            Table.from_json(text)

    def test_the_log_holds_every_row(self, tmp_path: Path) -> None:
        (item,) = logged(tmp_path, {"t": Table([[n, n * n] for n in range(3 * ROWS)], columns=XY)})
        assert len(Table.from_json(item.data[0].value)) == 3 * ROWS  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def shown(server: ServerProcess, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    random = np.random.default_rng(0)
    mixed = Table(columns=["picture", "n", "word"])
    mixed.add_data(Image(np.eye(4), caption="an <i>eye</i>"), 1, "<b>bold</b>")
    mixed.add_data(None, float("nan"), "<script>window.attacked = 1</script>")
    mixed.add_data(Image(random.random((300, 400, 3))), -float("inf"), Html("<img src=x onerror=window.attacked=2>"))
    mixed.add_data("a word", 0.123456, "x" * 5000)
    pictures = [[Image(random.random((160, 160, 3)))] for _ in range(80)]
    values = {
        "mixed": mixed,
        "long": Table([[n, n * n] for n in range(ROWS + 200)], columns=XY),
        "pictures": Table(pictures, columns=["picture"]),
    }
    with dashboard(server, chromium, "tables", tmp_path_factory.mktemp("run"), values) as made:
        yield made


class TestInTheBrowser:
    def test_cells_are_shown_as_they_are(self, shown: Dashboard) -> None:
        cells = shown.texts("mixed", "td")
        assert shown.texts("mixed", "th") == ["picture", "n", "word"]
        assert cells[:3] == ["an <i>eye</i>", "1", "<b>bold</b>"]
        assert cells[3:6] == ["", "nan", "<script>window.attacked = 1</script>"]
        assert cells[7:9] == ["-inf", "<img src=x onerror=window.attacked=2>"]
        assert cells[10] == "0.1235"
        assert cells[11] == "x" * 1000 + " … (5,000 characters)"
        assert shown.page.evaluate("window.attacked") is None

    def test_pictures_are_drawn_in_their_cells(self, shown: Dashboard) -> None:
        images = shown.pane("mixed").locator("td img")
        sizes = images.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight, i.clientHeight, i.alt])")
        assert sizes == [[4, 4, 64, "an <i>eye</i>"], [160, 120, 120, ""]]

    def test_numbers_stand_on_the_right(self, shown: Dashboard) -> None:
        sides = shown.pane("mixed").locator("th").evaluate_all("all => all.map(th => th.style.textAlign)")
        assert sides == ["left", "right", "left"]

    def test_a_long_table_says_how_long_it_is(self, shown: Dashboard) -> None:
        assert shown.pane("long").locator("tbody tr").count() == ROWS
        assert "first 1,000 of 1,200 rows" in shown.pane("long").inner_text()
        assert shown.texts("long", "td")[-2:] == ["999", "998001"]
        assert "first 1,000 of 1,200 rows" in shown.window("long")

    def test_a_table_of_many_pictures_is_bounded_in_bytes(self, shown: Dashboard) -> None:
        rows = shown.pane("pictures").locator("tbody tr").count()
        assert 10 < rows < 80
        assert f"first {rows} of 80 rows" in shown.pane("pictures").inner_text()
        assert BYTES < len(shown.window("pictures")) < 1.1 * BYTES
