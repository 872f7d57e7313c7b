"""What meters do at sizes and with values that a short training never shows."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.auc import AUCMeter
from flexlogger.meters.average import AverageValueMeter
from flexlogger.meters.base import FOLD_AT, BaseMeter, ScalarMeter
from flexlogger.meters.build import build_meter
from flexlogger.meters.confusion import ConfusionMeter
from flexlogger.meters.histogram import HistogramMeter
from flexlogger.meters.kept import JOIN_AT, Kept
from flexlogger.meters.last import LastValueMeter
from flexlogger.meters.moments import Moments
from flexlogger.meters.moving import MovingAverageValueMeter

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200)


@given(NUMBERS, st.lists(st.integers(0, 200), max_size=5))
@settings(max_examples=60)
def test_folding_anywhere_gives_what_numpy_gives(numbers: list[float], folds: list[int]) -> None:
    meter = AverageValueMeter()
    for index, number in enumerate(numbers):
        meter.add(number)
        if index in folds:
            meter.fold()
    assert meter.value() == pytest.approx((np.mean(numbers), np.std(numbers, ddof=1)), rel=1e-9, abs=1e-6)


def test_a_large_offset_costs_no_digits() -> None:
    meter = AverageValueMeter()
    for index in range(3 * FOLD_AT):
        meter.add(1e9 + index % 2)
    mean, std = meter.value()
    assert mean == 1e9 + 0.5
    assert std == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    "name", ["AverageValueMeter", "MinMeter", "MaxMeter", "SumMeter", "LastValueMeter", "RateMeter"]
)
def test_buffers_stay_bounded_without_a_log(name: str) -> None:
    meter = build_meter(name)
    assert isinstance(meter, ScalarMeter)
    buffer = meter.buffer
    for _ in range(3 * FOLD_AT):
        meter.add(1.0)
        assert len(buffer) < FOLD_AT
    meter.reset()
    assert meter.buffer is buffer
    assert meter.empty


def test_the_last_value_is_right_after_a_fold() -> None:
    meter = LastValueMeter()
    for index in range(FOLD_AT + 3):
        meter.add(float(index))
    assert meter.value() == FOLD_AT + 2


def test_infinity_in_one_block_is_the_mean_of_all_on_host_and_device() -> None:
    infinite, finite = Moments.of([math.inf, 1.0]), Moments.of([2.0])
    on_device = Moments.of_tensor(torch.tensor([math.inf, 1.0]))
    for merged in (infinite.merge(finite), finite.merge(infinite), on_device.merge(finite), finite.merge(on_device)):
        assert float(merged.mean) == math.inf
    assert math.isnan(Moments.of([math.inf]).merge(Moments.of([-math.inf])).mean)  # type: ignore[arg-type]


@given(st.integers(1, 40), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=120), st.integers(1, 50))
@settings(max_examples=60)
def test_a_moving_window_is_the_last_numbers(size: int, numbers: list[float], every: int) -> None:
    meter = MovingAverageValueMeter(size)
    for index, number in enumerate(numbers):
        meter.add(number)
        if index % every == 0:
            meter.fold()
    window = numbers[-size:]
    assert meter.value()[0] == pytest.approx(np.mean(window), abs=1e-9)
    assert meter.count == len(window)


@pytest.mark.usefixtures("pretend_device")
def test_a_moving_window_on_a_device_keeps_the_order() -> None:
    meter = MovingAverageValueMeter(4)
    numbers = [1.0, 2.0, torch.tensor(3.0), 4.0, 5.0, torch.tensor(6.0), 7.0]
    for number in numbers:
        meter.add(number)
    assert meter.value()[0] == 5.5
    meter.reset()
    meter.add(2.0)
    assert meter.value()[0] == 2.0


def test_a_nan_leaves_the_moving_window() -> None:
    meter = MovingAverageValueMeter(2)
    for number in (math.nan, 1.0, 3.0):
        meter.add(number)
    assert meter.value()[0] == 2.0


@pytest.fixture
def pretend_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tensors", "scalar", "values", "moving"):
        monkeypatch.setattr(f"flexlogger.meters.{module}.on_device", lambda tensor: True, raising=False)


def test_many_small_parts_are_joined() -> None:
    kept = Kept()
    for index in range(5 * JOIN_AT + 7):
        kept.add(torch.tensor([float(index)]))
    assert len(kept._parts) < JOIN_AT + 5
    assert len(kept) == 5 * JOIN_AT + 7
    assert torch.equal(kept.read(), torch.arange(5.0 * JOIN_AT + 7))
    kept.add(torch.tensor([-1.0]))
    assert kept.read()[-1] == -1


@pytest.mark.parametrize(
    ("meter", "values"),
    [(HistogramMeter(), (0.5,)), (AUCMeter(), (0.5, 1))],
    ids=["HistogramMeter", "AUCMeter"],
)
def test_single_entries_take_no_tensor_each(meter: BaseMeter, values: tuple[float, ...]) -> None:
    for _ in range(JOIN_AT):
        meter.add(*values)
    tracemalloc.start()
    try:
        for _ in range(4 * JOIN_AT):
            meter.add(*values)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 200_000  # a tensor object each would be above 300 bytes apiece


def test_counts_beyond_32_bits() -> None:
    meter = ConfusionMeter(2)
    meter.add(torch.tensor([0]), torch.tensor([0]))
    meter._counts.add(torch.tensor([2**33, 0, 0, 0, 0]))
    assert meter.value()[0, 0] == 2**33 + 1


def test_pixels_are_samples() -> None:
    scores, truth = torch.rand(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    whole, flat = ConfusionMeter(3), ConfusionMeter(3)
    whole.add(scores, truth)
    flat.add(scores.argmax(1).flatten(), truth.flatten())
    assert np.array_equal(whole.value(), flat.value())
    assert whole.value().sum() == 40


def test_a_probability_is_no_class() -> None:
    meter = ConfusionMeter(2)
    with pytest.raises(ValueRefusedError, match="predicted: Expected classes from 0 to 1 but sample 1 is not"):
        meter.add(torch.tensor([1.0, 0.7]), torch.tensor([1, 0]))
    meter.add(torch.tensor([True, False]), torch.tensor([1.0, 0.0]))
    assert meter.value().tolist() == [[1, 0], [0, 1]]
