"""Meters of plain numbers: the logger's way of feeding them, stability, clocks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import FOLD_AT, ScalarMeter
from tests.meter_cases import close, make

floats = st.floats(-1e6, 1e6)
NUMBER_METERS = ["AverageValueMeter", "MinMeter", "MaxMeter", "SumMeter", "MovingAverageValueMeter"]


def number_meter(name: str) -> Any:
    return make(name, **({"windowsize": 5} if name.startswith("Moving") else {}))


@given(st.lists(floats, min_size=2, max_size=200), st.data())
def test_average_however_it_is_folded(numbers: list[float], data: st.DataObject) -> None:
    meter = make("AverageValueMeter")
    for number in numbers:
        meter.add(number)
        if data.draw(st.booleans()):
            meter.fold()
    mean, std = meter.value()
    assert mean == pytest.approx(statistics.fmean(numbers), rel=1e-9, abs=1e-6)
    assert std == pytest.approx(statistics.stdev(numbers), rel=1e-6, abs=1e-4)


def test_average_is_stable_far_from_zero() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=3 * FOLD_AT + 17)
    meter = make("AverageValueMeter")
    for number in noise:
        meter.add(1e9 + float(number))
    mean, std = meter.value()
    assert mean - 1e9 == pytest.approx(noise.mean(), abs=1e-6)
    assert std == pytest.approx(noise.std(ddof=1), rel=1e-6)


@given(st.lists(st.tuples(floats, st.integers(1, 5)), min_size=1, max_size=20))
def test_average_with_counts_is_that_many_samples(pairs: list[tuple[float, int]]) -> None:
    meter, plain = make("AverageValueMeter"), make("AverageValueMeter")
    for number, n in pairs:
        meter.add(number, n)
        for _ in range(n):
            plain.add(number)
    assert meter.value()[0] == pytest.approx(plain.value()[0], rel=1e-9, abs=1e-6)
    assert meter.value()[1] == pytest.approx(plain.value()[1], rel=1e-6, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True, None])
def test_average_refuses_counts_that_are_none(n: Any) -> None:
    with pytest.raises(ValueRefusedError, match="Expected an integer count of at least 1 but got"):
        make("AverageValueMeter").add(1.0, n)


@pytest.mark.parametrize("name", NUMBER_METERS)
def test_the_logger_may_fill_the_buffer_itself(name: str) -> None:
    meter, plain = number_meter(name), number_meter(name)
    assert isinstance(meter, ScalarMeter)
    buffer = meter.buffer
    for i in range(10):
        buffer.append(float(i))
        plain.add(float(i))
    assert not meter.empty
    assert meter.value() == plain.value()
    meter.reset()
    assert meter.buffer is buffer
    assert meter.empty
    assert meter.count == 0


@pytest.mark.parametrize("name", NUMBER_METERS)
def test_memory_stays_bounded(name: str) -> None:
    meter = number_meter(name)
    for i in range(3 * FOLD_AT):
        meter.add(float(i))
        assert len(meter.buffer) < FOLD_AT
    assert meter.count + len(meter.buffer) in (3 * FOLD_AT, 5)


@pytest.mark.parametrize("name", [name for name in NUMBER_METERS if name != "MovingAverageValueMeter"])
def test_one_lone_number_is_the_value(name: str) -> None:
    meter = number_meter(name)
    meter.add(0.5)
    assert meter.single
    assert meter.collect() == {"": 0.5}


@pytest.mark.parametrize("name", NUMBER_METERS)
@pytest.mark.parametrize(
    "value",
    [
        *(2, np.float32(2), np.float64(2), np.int64(2), np.array(2.0), np.array([2.0]), Fraction(2), Decimal(2)),
        *(torch.tensor(2), torch.tensor([[2.0]]), torch.tensor(2.0, dtype=torch.bfloat16)),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_everything_that_is_one_number_is_taken(name: str, value: Any) -> None:
    meter = number_meter(name)
    meter.add(value)
    assert all(entry.__class__ is float for entry in meter.buffer)
    assert meter.collect() == {"": 2.0}


@pytest.mark.parametrize("name", NUMBER_METERS)
@pytest.mark.parametrize(
    "value", ["2", None, torch.zeros(2), np.zeros(3), torch.tensor(1j), 1j, np.array("2"), object()]
)
def test_everything_else_is_refused_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(ValueRefusedError, match=rf"^{name}\.add: Expected [^\n]* but got [^\n]*$"):
        number_meter(name).add(value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("many", [1, 100])
def test_numbers_that_are_not_finite_show(bad: float, many: int) -> None:
    for name in ("AverageValueMeter", "SumMeter"):
        meter = make(name)
        for number in [1.0] * many + [bad] + [2.0] * many:
            meter.add(number)
            meter.fold()
        shown = meter.collect()[""]
        assert math.isnan(shown) if math.isnan(bad) else shown == bad


@pytest.mark.parametrize("name", ["MinMeter", "MaxMeter"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_extremes_show_nan_wherever_it_comes(name: str, place: int) -> None:
    numbers = [1.0, 2.0]
    numbers.insert(place, math.nan)
    meter = make(name)
    for number in numbers:
        meter.add(number)
    assert math.isnan(meter.value())


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_extremes(numbers: list[float]) -> None:
    low, high = make("MinMeter"), make("MaxMeter")
    for number in numbers:
        low.add(number), high.add(number)
    assert (low.value(), high.value()) == (min(numbers), max(numbers))


def test_a_sum_beyond_the_largest_float_is_infinite() -> None:
    meter = make("SumMeter")
    for _ in range(3):
        meter.add(1.7e308)
    assert meter.value() == math.inf


@given(st.lists(floats, min_size=1, max_size=60), st.integers(1, 12))
def test_moving_average_is_that_of_the_last_numbers(numbers: list[float], windowsize: int) -> None:
    meter, last = make("MovingAverageValueMeter", windowsize=windowsize), make("AverageValueMeter")
    for number in numbers:
        meter.add(number)
    for number in numbers[-windowsize:]:
        last.add(number)
    assert close(meter.value(), last.value(), 1e-12)
    assert meter.windowed


def test_a_nan_leaves_the_moving_window() -> None:
    meter = make("MovingAverageValueMeter", windowsize=2)
    for number in (math.nan, 1.0, 3.0):
        meter.add(number)
    assert meter.value()[0] == 2.0


@pytest.mark.parametrize("windowsize", [0, -1, 2.0, True, "3"])
def test_windows_of_no_size_are_refused(windowsize: Any) -> None:
    with pytest.raises(ValueRefusedError, match="windowsize: Expected an integer of at least 1 but got"):
        make("MovingAverageValueMeter", windowsize=windowsize)


def clock(*ticks: float) -> Callable[[], float]:
    return iter(ticks).__next__


def test_time_is_logged_without_an_add_and_starts_anew_at_reset() -> None:
    meter = make("TimeMeter", clock=clock(10.0, 12.0, 20.0, 23.0))
    assert not meter.empty
    assert meter.collect() == {"": 2.0}
    meter.reset()
    assert meter.value() == 3.0


def test_time_per_unit_needs_work() -> None:
    meter = make("TimeMeter", unit=True, clock=clock(0.0, 8.0, 8.0))
    assert meter.empty
    assert math.isnan(meter.value())
    meter.add(4)
    assert not meter.empty
    assert meter.value() == 2.0


def test_rate_is_what_was_added_by_the_time_since_the_reset() -> None:
    meter = make("RateMeter", clock=clock(0.0, 2.0, 10.0, 15.0))
    assert meter.empty
    meter.add(64)
    meter.buffer.append(36.0)
    assert meter.collect() == {"": 50.0}
    meter.reset()
    meter.add(10)
    assert meter.value() == 2.0
    assert not meter.single


def test_rate_while_the_clock_stands_still() -> None:
    meter = make("RateMeter", clock=clock(1.0, 1.0))
    meter.add(5)
    assert math.isnan(meter.value())


def test_eta_goes_down_and_ends_at_zero() -> None:
    meter = make("ETAMeter", total=100, clock=clock(0.0, 10.0, 30.0, 60.0))
    meter.add(20)
    assert meter.value() == 40.0
    meter.add(40)
    assert meter.value() == 20.0
    meter.add(50)
    assert meter.value() == 0.0
    assert meter.windowed


@pytest.mark.parametrize("total", [0, -1, math.nan, math.inf, "10", True])
def test_an_eta_of_no_total_is_refused(total: Any) -> None:
    with pytest.raises(ValueRefusedError, match="total: Expected a finite number above 0 but got"):
        make("ETAMeter", total=total)


def test_clocks_take_work_from_a_device_without_a_wait() -> None:
    for name, opts in (("RateMeter", {}), ("ETAMeter", {"total": 9}), ("TimeMeter", {"unit": True})):
        meter = make(name, **opts)
        meter.add(torch.zeros((), device="meta"))
        assert meter.collect()[""].device.type == "meta"
