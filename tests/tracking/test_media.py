"""Images, histograms and HTML: read from whatever holds them, drawn by a real server in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import PIL.Image
import pytest
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters import histograms, pixels
from flexlogger.tracking.media import Histogram, Html, Image, Images, Loggable, loggable
from tests.meters.test_meter_devices import NoWait
from tests.tracking.shown import logged

RED = (255, 0, 0)


def value(of: Loggable) -> Any:
    return of.to_datum("v").value


class TestImage:
    @pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
    def test_arrays_have_their_channels_last(self, channels: tuple[int, ...]) -> None:
        array = np.random.default_rng(0).integers(0, 256, (3, 5, *channels), np.uint8)
        expected = array[..., 0] if channels == (1,) else array
        assert np.array_equal(value(Image(array)), expected)
        assert np.array_equal(value(Image(array[::-1])), expected[::-1]), "whatever the strides are"

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_tensors_have_their_channels_first(self, channels: int) -> None:
        tensor = torch.randint(0, 256, (channels, 3, 5), dtype=torch.uint8)
        expected = tensor[0] if channels == 1 else tensor.movedim(0, -1)
        assert np.array_equal(value(Image(tensor)), expected)

    def test_the_other_end_is_taken_where_the_usual_one_cannot_hold_them(self) -> None:
        assert value(Image(np.zeros((3, 8, 9)))).shape == (8, 9, 3)
        assert value(Image(torch.zeros(8, 9, 3))).shape == (8, 9, 3)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_floats_are_taken_as_0_to_1(self, dtype: torch.dtype) -> None:
        tensor = torch.tensor([[0.0, 0.5], [0.25, 1.0]], dtype=dtype, requires_grad=True)
        assert value(Image(tensor)).tolist() == [[0, 128], [64, 255]]

    def test_what_lies_outside_is_stretched_and_nan_is_black(self) -> None:
        assert value(Image([[-3.0, float("nan")], [0.0, 3.0]])).tolist() == [[0, 0], [128, 255]]
        assert value(Image(np.array([[False, True]]))).tolist() == [[0, 255]]
        assert value(Image(np.array([[0, 65535]], np.uint16))).tolist() == [[0, 255]]

    def test_it_is_read_when_it_is_made(self) -> None:
        array, tensor = np.zeros((2, 2), np.uint8), torch.zeros(2, 2)
        images = Image(array), Image(tensor)
        array += 7
        tensor += 1
        assert [value(image).max() for image in images] == [0, 0]
        assert not value(images[0]).flags.writeable

    def test_nothing_waits_for_the_device_before_it_is_encoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (histograms, pixels):
            monkeypatch.setattr(module, "on_device", lambda tensor: True)
        with NoWait():
            Image(torch.rand(3, 4, 5))
            Histogram(torch.rand(100))
        Image(torch.zeros(3, 4, 5, device="meta"))
        Histogram(torch.zeros(9, device="meta"))

    @pytest.mark.cuda
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
    def test_of_a_cuda_device(self) -> None:
        tensor = torch.rand(3, 4, 5)
        assert np.array_equal(value(Image(tensor.cuda())), value(Image(tensor)))
        assert np.array_equal(value(Histogram(tensor.cuda())), value(Histogram(tensor)))

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "HSV"])
    def test_of_pillow_in_any_mode(self, mode: str) -> None:
        source = PIL.Image.linear_gradient("L").resize((6, 4))
        picture = source.convert("I").convert(mode) if mode == "I;16" else source.convert(mode)
        array = value(Image(picture))
        assert array.shape[:2] == (4, 6)
        assert array.dtype == np.uint8
        assert int(array[0].min()) < int(array[-1].max())

    def test_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "red.png"
        PIL.Image.new("RGB", (5, 3), RED).save(path)
        image = Image(path)
        path.unlink()
        assert value(image).shape == (3, 5, 3)
        assert tuple(value(image)[0, 0]) == RED
        assert value(Image(PIL.Image.new("P", (2, 2)))).shape == (2, 2, 3)

    def test_of_matplotlib(self) -> None:
        figure = matplotlib.figure.Figure(figsize=(2, 1), dpi=50)
        figure.add_subplot().plot([0, 1])
        assert value(Image(figure)).shape == (50, 100, 4)
        pyplot = pytest.importorskip("matplotlib.pyplot")
        pyplot.figure(figsize=(3, 1), dpi=20)
        assert value(Image(pyplot)).shape == (20, 60, 4)
        pyplot.close()

    def test_mode_converts(self) -> None:
        red = np.full((2, 2, 3), RED, np.uint8)
        assert value(Image(red, mode="L")).shape == (2, 2)
        assert value(Image(red, mode="RGBA"))[0, 0].tolist() == [*RED, 255]
        with pytest.raises(ValueRefusedError, match="mode: expected one of L, RGB, RGBA, but got 'CMYK'"):
            Image(red, mode="CMYK")

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            (np.zeros(3), r"expected \(H, W\), \(H, W, C\) or a tensor .* but got shape \(3,\)"),
            (np.zeros((2, 5, 6, 3)), "a list of Images makes a grid"),
            (np.zeros((5, 6, 2)), r"got shape \(5, 6, 2\)"),
            (np.zeros((0, 4)), r"got shape \(0, 4\)"),
            (None, "Expected a tensor, array or list of numbers but got NoneType"),
            (torch.zeros(2, 2, dtype=torch.complex64), "real numbers"),
            ("/nowhere/cat.png", "Image: /nowhere/cat.png: No such file"),
        ],
    )
    def test_what_is_no_picture_is_refused(self, data: Any, told: str) -> None:
        with pytest.raises(ValueRefusedError, match=told):
            Image(data)

    def test_a_file_that_is_no_picture_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "cat.png"
        path.write_text("meow")
        with pytest.raises(ValueRefusedError, match=r"cat.png: is no picture that Pillow can read"):
            Image(path)


class TestImages:
    def test_a_list_of_images_is_one_grid(self) -> None:
        small, large = Image(np.zeros((2, 2)), caption="small"), Image(np.zeros((4, 6, 3)))
        grid = loggable([small, large])
        assert isinstance(grid, Images)
        datum = grid.to_datum("v")
        assert datum.kind == "images"
        assert datum.captions == ("small", "")
        assert datum.value.shape == (2, 4, 6, 3)
        assert (datum.value[0] == 0).sum() == 2 * 2 * 3
        assert (datum.value[0, 1:3, 2:4] == 0).all(), "in the middle of its place"

    def test_one_with_opacity_leaves_the_rest_clear(self) -> None:
        batch = value(Images([Image(np.zeros((1, 1, 4))), Image(np.zeros((3, 3)))]))
        assert batch.shape == (2, 3, 3, 4)
        assert batch[0, 0, 0, 3] == 0
        assert (batch[1, :, :, 3] == 255).all()

    def test_other_lists_are_not(self) -> None:
        assert loggable([]) is None
        assert loggable([Image(np.eye(2)), 1]) is None
        assert loggable(Image) is None
        with pytest.raises(ValueRefusedError, match="at least one"):
            Images([])


class TestHistogram:
    @pytest.mark.parametrize("make", [np.array, torch.tensor, list])
    def test_counts_as_numpy_does(self, make: Any) -> None:
        values = np.random.default_rng(0).normal(size=1000)
        edges, counts = value(Histogram(make(values.tolist()), num_bins=20))
        expected, expected_edges = np.histogram(values, 20)
        assert counts[:-1].tolist() == expected.tolist()
        assert edges == pytest.approx(expected_edges)

    def test_has_64_bins_unless_told(self) -> None:
        assert value(Histogram([1, 2])).shape == (2, 65)
        assert value(Histogram([[1, 2], [3, 4]], num_bins=512)).shape == (2, 513)

    def test_large_integers_are_told_apart(self) -> None:
        assert value(Histogram([2**40, 2**40 + 1], num_bins=2))[1].tolist() == [1, 1, 0]

    def test_what_is_not_finite_is_left_out_and_counted(self) -> None:
        datum = Histogram([1.0, float("nan"), float("inf"), 2.0]).to_datum("h")
        assert np.asarray(datum.value)[1].sum() == 2
        assert datum.captions == ("2 not finite",)
        assert Histogram([1.0]).to_datum("h").captions == ()

    def test_bins_that_were_counted_elsewhere(self) -> None:
        counted = np.histogram([1, 2, 2, 5], bins=[0, 2, 8])
        assert value(Histogram(np_histogram=counted)).tolist() == [[0, 2, 8], [1, 3, 0]]

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({}, "either values or np_histogram"),
            ({"sequence": [1], "np_histogram": ([1], [0, 1])}, "either values or np_histogram"),
            ({"sequence": [1], "num_bins": 0}, "num_bins: expected 1 to 512, but got 0"),
            ({"sequence": "abc"}, "Histogram: Expected a tensor, array or list of numbers but got str"),
            ({"np_histogram": ([1, 2], [0, 1])}, r"one more edge than counts.*shapes \(2,\), \(2,\)"),
            ({"np_histogram": ([1, 2], [0, 2, 1])}, "edges that do not descend"),
            ({"np_histogram": ([float("nan")], [0, 1])}, "finite counts"),
        ],
    )
    def test_refuses(self, arguments: dict[str, Any], told: str) -> None:
        with pytest.raises(ValueRefusedError, match=told):
            Histogram(**arguments)


class TestHtml:
    def test_of_a_string_a_path_and_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        path.write_text("<p>käse</p>", encoding="utf-8")
        with path.open() as text, path.open("rb") as raw:
            pages = [Html("<p>käse</p>"), Html(path), Html(str(path)), Html(text), Html(raw)]
        assert {value(page) for page in pages} == {"<!doctype html><p>käse</p>"}
        assert value(Html("report.html")) == "<!doctype html>report.html", "there is no such file"
        assert value(Html("\n<!DOCTYPE HTML><b>")) == "<!DOCTYPE HTML><b>"

    def test_refuses(self, tmp_path: Path) -> None:
        with pytest.raises(ValueRefusedError, match=r"Html: .*gone.html cannot be read \(No such file"):
            Html(tmp_path / "gone.html")
        with pytest.raises(ValueRefusedError, match="expected a string, a path or an open file, but got a int"):
            Html(3)


def test_captions_come_back_from_the_log(tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    values = {"small": Image(np.eye(2), caption="ünïcode \ud800"), "big": Image(big, caption="b"), "none": Image(big)}
    found = [item.data[0] for item in logged(tmp_path, values)]  # type: ignore[union-attr]
    assert [datum.captions for datum in found] == [("ünïcode ?",), ("b",), ()]
    assert np.array_equal(found[1].value, big)
    assert (tmp_path / "blobs").is_dir(), "what is large is a file beside the log"
