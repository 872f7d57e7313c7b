"""Pictures of tensors: what is drawn where, and the same pixels for the same numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger.inspector import frames
from flexlogger.inspector.canvas import BLUE, VIRIDIS, WARN, Canvas

SIZE = (320, 240)


def box() -> Any:
    return Canvas(*SIZE).inside


def inner(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The picture within its thin line."""
    place = box()
    return frame[place.top + 1 : place.bottom - 1, place.left + 1 : place.right - 1]


@pytest.mark.parametrize("draw", [frames.heat_map, frames.histogram, frames.pca])
def test_the_same_numbers_give_the_same_pixels_in_every_process(draw: Any) -> None:
    code = f"""
import hashlib, numpy as np
from flexlogger.inspector import frames
frame = frames.{draw.__name__}(np.arange(120.0).reshape(8, 15) ** 1.5, {SIZE}, "a", "step 1")
print(frame.shape, frame.dtype, hashlib.sha256(frame.tobytes()).hexdigest())
"""
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(said) == 1
    assert said.pop().startswith("(240, 320, 3) uint8 ")


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2)])
def test_a_heat_map_has_row_0_on_top_and_low_values_dark(shape: tuple[int, ...]) -> None:
    picture = inner(frames.heat_map(np.array([0.0, 1.0, 2.0, np.nan]).reshape(shape), SIZE, "a", ""))
    corners = [picture[y, x].tolist() for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))]
    assert corners == [VIRIDIS[0].tolist(), VIRIDIS[128].tolist(), VIRIDIS[255].tolist(), list(WARN)]


def test_a_matrix_larger_than_the_picture_is_averaged() -> None:
    matrix = np.tile([0.0, 1.0], (2000, 1500))
    averaged = frames.averaged(matrix, 100, 150)
    assert averaged.shape == (100, 150)
    np.testing.assert_allclose(averaged, 0.5)


def test_a_histogram_counts_what_numpy_counts() -> None:
    numbers = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    counts = frames.counted(numbers, low, high)
    assert counts.sum() == 100_000
    assert np.abs(counts - np.histogram(numbers, frames.BINS, (low, high))[0]).max() <= 2  # one on an edge


def test_the_tallest_bar_fills_the_picture() -> None:
    picture = inner(frames.histogram(np.repeat([0.0, 10.0], [1, 99]), SIZE, "a", ""))
    blue = (picture == BLUE).all(axis=2)
    assert blue[:, -3].sum() >= picture.shape[0] - 4
    assert 1 <= blue[:, 1].sum() <= 3
    assert not blue[:, picture.shape[1] // 2].any()


def test_pca_finds_the_directions_of_largest_variance() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(300, 7)) * [1, 20, 1, 5, 1, 1, 1]
    scores, shares = frames.components(numbers)
    values, vectors = np.linalg.eigh(np.cov(numbers.T))
    expected = (numbers - numbers.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), rtol=1e-8)
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())
    wide = frames.components(np.pad(numbers, ((0, 0), (0, 1000))))  # by way of the other matrix
    np.testing.assert_allclose(wide[0], scores, atol=1e-8)


@pytest.mark.parametrize("numbers", [np.zeros(5), np.zeros((1, 1, 4)), np.full((3, 3), np.inf), np.zeros((3, 0))])
def test_what_has_no_components_is_said(numbers: Any) -> None:
    assert frames.components(numbers) is None
    assert not (frames.pca(numbers, SIZE, "a", "") == BLUE).all(axis=2).any()


@pytest.mark.parametrize("draw", [frames.heat_map, frames.histogram, frames.pca])
@pytest.mark.parametrize(
    "numbers",
    [
        np.zeros((0, 3)),
        np.zeros((4, 4)),
        np.full((4, 4), np.nan),
        np.array([[np.inf, -np.inf], [0.0, 1.0]]),
        np.array([[3.4e38, -3.4e38]], np.float32),
        np.array([[1e308, -1e308]]),
        np.array([[1e-45, 0.0]], np.float32),
        np.ones((1, 1)),
    ],
)
@pytest.mark.parametrize("size", [(64, 64), (4096, 64), (640, 480)])
def test_odd_numbers_and_sizes_are_drawn(draw: Any, numbers: Any, size: tuple[int, int]) -> None:
    frame = draw(numbers, size, "a" * 300, "step 1")
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64]
)
def test_every_type_becomes_numbers(dtype: torch.dtype) -> None:
    numbers = frames.numbers_of(torch.tensor([[1, 0], [1, 1]]).to(dtype))
    assert numbers.tolist() == [[1, 0], [1, 1]]
    assert numbers.dtype.kind == "f"


def test_a_name_that_is_too_long_keeps_both_its_ends() -> None:
    """Its last part is the source, and what stands on the right is not written over."""
    name = "encoder." * 20 + "grad_out"
    numbers = np.array([[0.0, np.nan]])
    frame, other = (frames.heat_map(numbers, SIZE, title, "") for title in (name, name.replace("grad_out", "weights_")))
    line = slice(0, round(Canvas(*SIZE).letter * 1.5))
    differ = np.flatnonzero((frame[line] != other[line]).any(axis=(0, 2)))
    assert differ.size
    red, green = frame[line, :, 0].astype(int), frame[line, :, 1].astype(int)
    told = np.flatnonzero((red - green > 50).any(axis=0))
    assert differ.max() < told.min()
