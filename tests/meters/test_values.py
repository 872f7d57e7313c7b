"""What a value is taken for, and what is logged of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.histograms import histogram
from flexlogger.meters.pixels import pixels
from flexlogger.meters.values import interpret, take


class NoReading(TorchDispatchMode):
    """Refuses every operation that would wait for a device."""

    REFUSED = ("_local_scalar_dense", "nonzero", "masked_select", "equal.default", "is_nonzero", "_unique")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not any(name in str(func) for name in self.REFUSED), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float32(2), np.array([2]), torch.tensor(2), torch.tensor([2.0], requires_grad=True), np.float64(2)],
)
def test_a_single_number_is_a_float(value):
    found = interpret(value)
    assert found == {"": 2.0}
    assert type(found[""]) is float


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        ([1, 2, 3], "vector", (3,)),
        ([torch.tensor(1.0), torch.tensor(2.0)], "vector", (2,)),
        ([torch.tensor(1.0, requires_grad=True), 2], "vector", (2,)),
        (np.zeros((3, 4)), "matrix", (3, 4)),
        ([[1, 2], [3, 4]], "matrix", (2, 2)),
        (torch.zeros(3, 5, 7), "image", (5, 7, 3)),
        (torch.zeros(1, 5, 7), "image", (5, 7)),
        (np.zeros((5, 7, 4)), "image", (5, 7, 4)),
        (torch.zeros(9, 1, 5, 7), "images", (9, 5, 7)),
        (torch.zeros(9, 3, 5, 7), "images", (9, 5, 7, 3)),
        (np.zeros((9, 5, 7, 3), np.uint8), "images", (9, 5, 7, 3)),
        (torch.zeros(9, 5, 7), "images", (9, 5, 7)),
        ([torch.zeros(3, 5, 7), torch.zeros(3, 5, 7)], "images", (2, 5, 7, 3)),
    ],
)
def test_the_shape_decides(value, kind, shape):
    payload = interpret(value)[""]
    assert (payload.kind, tuple(payload.value.shape)) == (kind, shape)


@pytest.mark.parametrize(
    ("value", "kind", "found", "shape"),
    [
        (torch.zeros(5, 7), "image", "image", (5, 7)),
        (torch.zeros(5, 7), "images", "image", (5, 7)),
        (torch.zeros(2, 3, 5, 7), "image", "images", (2, 5, 7, 3)),
        ([2.0], "vector", "vector", (1,)),
        (([0, 1, 2], [3, 4, 5]), "curve", "curve", (2, 3)),
        ((torch.zeros(4), torch.ones(4), torch.ones(4)), "curve", "curve", (2, 4)),
        (np.zeros((9, 2)), "points", "points", (9, 2)),
        (np.zeros((9, 3)), "points", "points", (9, 3)),
        (np.zeros((9, 3)), "histogram", "histogram", (2, 65)),
    ],
)
def test_a_declared_kind_decides(value, kind, found, shape):
    payload = interpret(value, kind)[""]
    assert (payload.kind, tuple(payload.value.shape)) == (found, shape)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (np.zeros(3), "scalar", "Expected a single number, but got an array of shape (3,)"),
        (np.zeros((3, 3)), "vector", "Expected a vector (1-d), but got an array of shape (3, 3)"),
        (torch.zeros(3), "matrix", "Expected a matrix (2-d), but got a tensor of shape (3,)"),
        (3.0, "matrix", "Expected a matrix (2-d), but got an array of shape ()"),
        (torch.zeros(3, 4), "curve", "Expected a curve: (2, N), or x and y of equal length, but got a tensor"),
        (torch.zeros(3, 4), "points", "Expected points: (N, 2) or (N, 3), but got a tensor of shape (3, 4)"),
        (torch.zeros(7), "image", "Expected an image (H, W), (C, H, W), (H, W, C) or a batch of them"),
        (torch.zeros(2, 5, 7, 9), "any", "but got a tensor of shape (2, 5, 7, 9)"),
        (torch.zeros(3, 0, 7), "image", "but got a tensor of shape (3, 0, 7)"),
        ("no", "scalar", "Expected a single number, but got 'no'"),
        (3.0, "text", "Expected a string, but got 3.0"),
        ("{}", "table", "Expected a table"),
        (5, "figure", "Expected a plotly figure"),
        (None, "any", "but got None"),
        (object(), "any", "but got a object"),
        (torch.zeros(2, dtype=torch.complex64), "any", "(complex)"),
        (["a", 1.0], "any", "but got a list of 2"),
        ([torch.zeros(2), torch.zeros(3)], "any", "but got a list of 2"),
        ({}, "any", "but got a dict"),
        ({"a": None}, "any", "but got None"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(value, kind, message):
    with pytest.raises(ValueRefusedError) as caught:
        interpret(value, kind)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dicts_yield_one_output_an_entry():
    found = interpret({"a": 1, "b": {"c": torch.tensor(2.0)}, "m": np.zeros((2, 2))})
    assert (found[".a"], found[".b.c"], found[".m"].kind) == (1.0, 2.0, "matrix")


def table_of(value, kind="any"):
    payload = interpret(value, kind)[""]
    assert payload.kind == "table"
    return json.loads(payload.value)


def test_tables_of_every_form():
    pandas = pytest.importorskip("pandas")
    expected = {"columns": ["word", "n"], "rows": [["cat", 1], ["dog", 2]]}
    assert table_of([{"word": "cat", "n": 1}, {"word": "dog", "n": np.int64(2)}]) == expected
    assert table_of({"word": ["cat", "dog"], "n": [1, 2]}) == expected
    assert table_of({"word": ["cat", "dog"], "n": torch.tensor([1, 2])}, "table") == expected
    assert table_of({"columns": ["word", "n"], "rows": [["cat", 1], {"n": 2, "word": "dog"}]}) == expected
    assert table_of(pandas.DataFrame({"word": ["cat", "dog"], "n": [1, 2]})) == expected


def test_plotly_figures_travel_as_json():
    plotly = pytest.importorskip("plotly.graph_objects")
    figure = plotly.Figure(plotly.Bar(y=[1, 2]), layout={"title": {"text": "t"}})
    for value in (figure, {"data": [{"type": "bar", "y": np.array([1, 2])}], "layout": {"title": {"text": "t"}}}):
        payload = interpret(value)[""]
        read = json.loads(payload.value)
        assert (payload.kind, read["data"][0]["type"], read["layout"]["title"]["text"]) == ("figure", "bar", "t")


def test_matplotlib_figures_are_rendered_and_keep_their_canvas():
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([0, 1], [0, 1])
    canvas = figure.canvas
    payload = interpret(figure)[""]
    assert (payload.kind, tuple(payload.value.shape), payload.value.dtype) == ("image", (50, 100, 4), torch.uint8)
    assert payload.value[..., :3].min() < 128
    assert figure.canvas is canvas


# ---- pixels


def test_floats_from_zero_to_one_are_scaled_by_255_and_others_stretched_per_image():
    batch = torch.tensor([[[0.0, 0.25]], [[10.0, 20.0]], [[-1.0, 1.0]], [[3.0, 3.0]]])
    assert pixels(batch, "images").tolist() == [[[0, 64]], [[0, 255]], [[0, 255]], [[0, 0]]]


def test_bytes_are_kept_and_integers_within_bytes_too():
    for dtype in (torch.uint8, torch.int64, torch.int16):
        assert pixels(torch.tensor([[0, 1, 200]], dtype=dtype), "image").tolist() == [[0, 1, 200]]
    assert pixels(torch.tensor([[False, True]]), "image").tolist() == [[0, 255]]
    assert pixels(torch.tensor([[0, 1000]]), "image").tolist() == [[0, 255]]


def test_not_finite_pixels_do_not_spoil_the_rest():
    values = torch.tensor([[float("nan"), 0.0, 1.0, float("inf"), float("-inf")]])
    assert pixels(values, "image").tolist() == [[0, 0, 255, 255, 0]]
    assert pixels(torch.full((1, 2), float("nan")), "image").tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_pixels_of_every_float(dtype):
    assert pixels(torch.tensor([[0.0, 1.0]], dtype=dtype), "image").tolist() == [[0, 255]]


def test_channels_first_and_last_give_the_same_picture():
    image = torch.rand(3, 5, 7)
    assert torch.equal(pixels(image, "image"), pixels(image.permute(1, 2, 0), "image"))


def test_odd_arrays_are_taken():
    image = np.zeros((5, 7, 3))[::-1, :, ::-1].astype(">f8")
    assert interpret(image)[""].value.shape == (5, 7, 3)
    assert take(np.zeros(3, np.longdouble))[""].value.dtype == np.float64
    assert take(np.zeros(3, np.float16))[""].value.dtype == np.float32
    assert interpret(np.zeros((4, 4), np.uint16), "image")[""].value.shape == (4, 4)


# ---- histograms


@pytest.mark.parametrize("shape", [(1000,), (10, 20), (3, 4, 5, 6)])
def test_histogram_counts_as_numpy_does(shape):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts, edges = np.histogram(values.numpy(), 64)
    found = histogram(values)
    np.testing.assert_allclose(found[0].numpy(), edges, atol=1e-12)
    assert found[1, :-1].tolist() == counts.tolist()
    assert found[1, -1] == 0


@pytest.mark.parametrize(
    ("values", "low", "high", "total"),
    [
        ([5.0, 5.0], 4.5, 5.5, 2),
        ([], 0.0, 1.0, 0),
        ([float("nan"), float("inf")], 0.0, 1.0, 0),
        ([float("nan"), 1.0, 3.0], 1.0, 3.0, 2),
    ],
)
def test_histogram_edges(values, low, high, total):
    found = histogram(torch.tensor(values))
    assert (found[0, 0], found[0, -1], found[1].sum()) == (low, high, total)


@pytest.mark.parametrize(
    "values",
    [
        torch.randn(1000, generator=torch.Generator().manual_seed(0)),
        torch.tensor([1e308, -1e308, 0.0], dtype=torch.float64),
        torch.tensor([float("inf"), 2.0, float("nan"), 3.0]),
        torch.tensor([5e-324, 0.0], dtype=torch.float64),
        torch.full((5,), 1e30),
        torch.arange(641),
        torch.tensor([]),
    ],
)
def test_a_histogram_is_the_same_wherever_it_is_counted(values: torch.Tensor, monkeypatch: pytest.MonkeyPatch):
    here = histogram(values)
    monkeypatch.setattr("flexlogger.meters.histograms.on_device", lambda tensor: True)
    np.testing.assert_allclose(here.numpy(), histogram(values).numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "picture", [torch.rand(9, 8), torch.randn(9, 8), torch.arange(256).reshape(16, 16), torch.full((4, 4), torch.nan)]
)
def test_pixels_are_the_same_wherever_they_are_made(picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch):
    here = pixels(picture, "image")
    monkeypatch.setattr("flexlogger.meters.pixels.on_device", lambda tensor: True)
    assert torch.equal(here, pixels(picture, "image"))


def test_histogram_of_more_than_one_chunk(monkeypatch):
    monkeypatch.setattr("flexlogger.meters.histograms._CHUNK", 7)
    values = torch.arange(100)
    assert histogram(values, 10)[1].tolist() == [10] * 10 + [0]


# ---- devices and ownership


DEVICE_VALUES = [
    (torch.tensor(1.0), "any"),
    (torch.rand(5), "any"),
    (torch.rand(5, 5), "matrix"),
    (torch.rand(3, 8, 8), "any"),
    (torch.rand(2, 3, 8, 8), "any"),
    (torch.randn(500), "histogram"),
    (torch.rand(2, 9), "curve"),
    ([torch.tensor(1.0), torch.tensor(2.0), 3.0], "any"),
]


def moved(value, device):
    if isinstance(value, list):
        return [moved(entry, device) for entry in value]
    return value.to(device) if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize(("value", "kind"), DEVICE_VALUES)
def test_values_on_a_device_stay_there_unread(value, kind):
    with NoReading():
        found = interpret(moved(value, "meta"), kind)[""]
    tensor = found.value if isinstance(found, Payload) else found
    assert tensor.device.type == "meta"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(("value", "kind"), DEVICE_VALUES)
def test_cuda_gives_what_the_cpu_gives_without_waiting(value, kind):
    there = moved(value, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = interpret(there, kind)[""]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    here = interpret(value, kind)[""]
    if isinstance(here, float):
        assert found.device.type == "cuda"
        assert float(found) == here
        return
    assert found.value.device.type == "cuda"
    torch.testing.assert_close(found.value.cpu(), torch.as_tensor(here.value))
