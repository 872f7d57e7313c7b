from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger import ValueRefusedError, faults
from flexlogger.records import Datum, Record
from flexlogger.tracking.media import Image
from flexlogger.tracking.table import Table
from flexlogger.tracking.values import Call, Later

LIMIT = 10**6


def one(value: Any) -> Datum:
    """The single datum that a value becomes."""
    call = Call({"v": value}, LIMIT)
    assert call.values == {}
    (datum,) = call.data
    return datum


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.bool_(False), 0.0),
        (np.array(2.5), 2.5),
        (torch.tensor(7), 7.0),
        (torch.tensor([1.5]), 1.5),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (torch.tensor(0.25, dtype=torch.bfloat16), 0.25),
        (Fraction(1, 4), 0.25),
        (float("inf"), math.inf),
    ],
)
def test_numbers_of_every_kind_are_floats(value: Any, number: float) -> None:
    call = Call({"v": value}, LIMIT)
    assert call.values == {"v": number}
    assert type(call.values["v"]) is float
    assert call.names == {"v"}


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        (np.zeros(40), "vector", (40,)),
        (np.zeros((4, 5)), "matrix", (4, 5)),
        (torch.zeros(3, 8, 9), "image", (8, 9, 3)),
        (np.zeros((8, 9, 3)), "image", (8, 9, 3)),
        (torch.zeros(6, 1, 8, 9), "images", (6, 8, 9)),
        (list(range(40)), "vector", (40,)),
    ],
)
def test_the_shape_chooses_what_an_array_is(value: Any, kind: str, shape: tuple[int, ...]) -> None:
    datum = one(value)
    assert isinstance(datum.value, np.ndarray)
    assert (datum.kind, datum.value.shape) == (kind, shape)


def test_a_short_vector_is_a_scalar_an_entry() -> None:
    call = Call({"f1": torch.tensor([0.5, 1.0])}, LIMIT)
    assert call.values == {"f1.0": 0.5, "f1.1": 1.0}
    assert call.vectors == {"f1"}


def test_dicts_are_logged_under_dotted_names_and_none_is_skipped() -> None:
    call = Call({"train": {"loss": 0.5, "top": {"1": 0.25, "5": None}}, "x": None}, LIMIT)
    assert call.values == {"train.loss": 0.5, "train.top.1": 0.25}


def test_a_dict_of_lists_is_two_vectors_and_not_a_table() -> None:
    assert Call({"a": {"x": [1, 2], "y": [3, 4]}}, LIMIT).values == {"a.x.0": 1, "a.x.1": 2, "a.y.0": 3, "a.y.1": 4}


def test_documents_are_what_they_are() -> None:
    assert one("hello") == Datum("v", "text", "hello")
    assert one({"columns": ["a"], "rows": [[1]]}).kind == "table"
    assert one([{"a": 1}, {"a": 2}]).kind == "table"
    assert one({"data": [{"type": "bar", "y": [1]}], "layout": {}}).kind == "figure"


def test_figures_of_matplotlib_and_pyplot_itself_are_images() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    figure = plt.figure(figsize=(1, 1), dpi=50)
    assert one(figure).value.shape == (50, 50, 4)  # type: ignore[union-attr]
    assert one(plt).value.shape == (50, 50, 4)  # type: ignore[union-attr]
    plt.close(figure)


def test_figures_of_plotly_are_figures() -> None:
    go = pytest.importorskip("plotly.graph_objects")
    assert one(go.Figure(go.Bar(y=[1, 2]))).kind == "figure"


def test_what_knows_how_to_travel_is_encoded_later_and_as_it_is_now() -> None:
    table = Table([[1]], columns=["x"])
    call = Call({"t": table, "images": [Image(np.zeros((2, 2)))] * 2, "loss": 0.5}, LIMIT)
    table.add_data(2)
    datum = {name: value.to_datum(name) for name, value in call.later}
    assert datum["t"].value == '{"columns": ["x"], "rows": [[1]]}'
    assert datum["images"].kind == "images"
    assert call.values == {"loss": 0.5}
    assert call.names == {"t", "images", "loss"}


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (object(), "an object|a object"),
        ({1, 2}, "a set"),
        (1 + 2j, r"\(1\+2j\)"),
        (["a", 1], "a list of 2"),
        (np.array(["a"]), "an array of shape"),
        (torch.zeros(2, 2, 2, 2, 2), "a tensor of shape"),
        (len, "a builtin"),
    ],
)
def test_anything_else_is_refused_with_its_path(value: Any, came: str) -> None:
    with pytest.raises(ValueRefusedError, match=rf"log: 'val\.deep': Expected .*, but got ({came})"):
        Call({"ok": 1.0, "val": {"deep": value}}, LIMIT)


@pytest.mark.parametrize("data", [{1: 0.5}, {"a": {("b",): 0.5}}])
def test_a_name_that_is_no_string_is_refused(data: Any) -> None:
    with pytest.raises(ValueRefusedError, match=r"log: .*: expected names that are strings, but got"):
        Call(data, LIMIT)


def test_media_that_are_too_large_are_counted() -> None:
    call = Call({"m": np.zeros((100, 100)), "a": 1.0}, 1000)
    assert call.refused == [("m", 80_000)]
    assert call.values == {"a": 1.0}


def test_what_was_logged_may_be_changed_afterwards() -> None:
    matrix = torch.ones(3, 3)
    call = Call({"m": matrix}, LIMIT)
    matrix[:] = 9
    assert np.array_equal(call.data[0].value, np.ones((3, 3)))


def test_a_value_whose_encoding_fails_is_told_and_left_out() -> None:
    class Broken:
        def to_datum(self, name: str) -> Datum:
            raise RuntimeError("no")

    assert Later(3, 1.0, "v", Broken(), LIMIT, lambda name, size: None).record() == Record(3, 1.0)
    assert isinstance(faults.seen[0], RuntimeError)
    faults.forget()


def test_a_mapping_that_holds_itself_is_refused() -> None:
    cyclic: dict[str, Any] = {"loss": 0.5}
    cyclic["again"] = cyclic
    with pytest.raises(ValueRefusedError, match=r"log: d.again: this list or mapping holds itself"):
        Call({"d": cyclic}, 1000)
