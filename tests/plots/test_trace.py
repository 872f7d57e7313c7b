"""A trace is bounded and cheap, and what matters of a curve is still on it, whatever order points come in."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.thinning import TOP
from flexlogger.plots.trace import MARKS, Shown, Trace, kind_of

Point = tuple[float, float]


def bucket_number(x: float, level: int, log: bool) -> int:
    place = (float(np.log2(x)) if x > 0 else -2048.0) if log else x
    return 0 if level >= TOP else math.floor(Fraction(place) / Fraction(2) ** level)


def four_of_each_bucket(points: dict[float, float], level: int, log: bool) -> set[Point]:
    """The obvious way: put every point into its bucket, then look for the four."""
    buckets: dict[int, list[Point]] = {}
    for point in sorted(points.items()):
        if math.isfinite(point[1]):
            buckets.setdefault(bucket_number(point[0], level, log), []).append(point)
    kept: set[Point] = set()
    for inside in buckets.values():
        kept |= {inside[0], inside[-1], min(inside, key=lambda p: p[1]), max(inside, key=lambda p: p[1])}
    return kept


def line(shown: Shown) -> set[Point]:
    return {(x, y) for x, y in zip(shown.x.tolist(), shown.y.tolist(), strict=True) if math.isfinite(y)}


class Plain(Trace):
    """Every batch goes the way of points in any order."""

    def _appended(self, x, y):
        return self._kept, 0


def traced(kind: type[Trace], max_points: int, log: bool = False, eager: bool = True) -> Trace:
    """A trace that thins as soon as it may, where it is eager, so that few points show what many would."""
    trace = kind(max_points, log)
    if eager:
        trace._batch = max_points
    return trace


def feed(trace: Trace, points: list[Point], cuts: list[int]) -> None:
    """Give the points in batches; look at what is shown after every other one, as a dashboard does."""
    edges = [0, *sorted({cut % (len(points) + 1) for cut in cuts}), len(points)]
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        trace.extend([x for x, _ in points[start:end]], [y for _, y in points[start:end]])
        if number % 2:
            assert size(trace.shown()) <= trace.max_points


def size(shown: Shown) -> int:
    return len(shown.x) + len(shown.mark_x)


xs = st.one_of(st.integers(-3000, 3000).map(float), st.floats(allow_nan=False, allow_infinity=False))
ys = st.one_of(st.integers(-5, 5).map(float), st.floats())
limits = st.sampled_from([4, 5, 7, 12, 40, 200])
cuts = st.lists(st.integers(0, 10**6), max_size=6)


@given(st.dictionaries(xs, ys, max_size=300), st.randoms(), limits, cuts, st.booleans(), st.booleans(), st.booleans())
def test_four_points_of_every_bucket_stay_whatever_the_order(points, random, max_points, cuts, log, eager, ordered):
    trace = traced(Trace, max_points, log, eager)
    arrivals = sorted(points.items()) if ordered else list(points.items())
    if not ordered:
        random.shuffle(arrivals)
    feed(trace, arrivals, cuts)
    shown = trace.shown()

    assert line(shown) <= {(x, y) for x, y in points.items() if math.isfinite(y)}
    assert line(shown) >= four_of_each_bucket(points, trace.level, log)
    assert size(shown) <= max_points
    assert (np.diff(shown.x) > 0).all()


@given(st.dictionaries(xs, ys, max_size=300), st.randoms(), limits, cuts, st.booleans())
def test_first_last_lowest_and_highest_are_the_true_ones(points, random, max_points, cuts, eager):
    trace = traced(Trace, max_points, eager=eager)
    arrivals = list(points.items())
    random.shuffle(arrivals)
    feed(trace, arrivals, cuts)
    finite = sorted((x, y) for x, y in points.items() if math.isfinite(y))
    shown = sorted(line(trace.shown()))
    if not finite:
        assert not shown
        return
    assert (shown[0], shown[-1]) == (finite[0], finite[-1])
    assert min(y for _, y in shown) == min(y for _, y in finite)
    assert max(y for _, y in shown) == max(y for _, y in finite)


@given(st.dictionaries(xs, ys, max_size=120), st.randoms(), limits)
def test_leftmost_non_finite_points_are_marked_and_leave_a_gap(points, random, max_points):
    trace = Trace(max_points)
    arrivals = list(points.items())
    random.shuffle(arrivals)
    feed(trace, arrivals, [40])
    bad = sorted((x, y) for x, y in points.items() if not math.isfinite(y))
    shown = trace.shown()
    expected = bad[: min(MARKS, (max_points - 4) // 4)]

    assert shown.mark_x.tolist() == [x for x, _ in expected]
    assert shown.mark_kind == tuple(kind_of(y) for _, y in expected)
    assert shown.x[np.isnan(shown.y)].tolist() == [x for x, _ in expected]
    assert sum(trace.nonfinite.values()) == len(bad)


@given(st.lists(st.tuples(st.integers(0, 60).map(float), ys), max_size=400), limits, cuts, st.booleans())
def test_the_later_of_two_points_at_one_x_wins(arrivals, max_points, cuts, eager):
    trace = traced(Trace, max_points, eager=eager)
    feed(trace, arrivals, cuts)
    newest = dict(arrivals)
    shown = trace.shown()

    assert line(shown) <= set(newest.items())
    assert size(shown) <= max_points
    if len(newest) + 2 * sum(not math.isfinite(y) for y in newest.values()) <= max_points // 2:
        assert line(shown) == {(x, y) for x, y in newest.items() if math.isfinite(y)}


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([40, 200, 2000, 3000]), st.booleans(), cuts)
def test_what_is_kept_follows_from_the_points_and_their_order_alone(seed, max_points, ordered, cuts):
    random = np.random.default_rng(seed)
    x = np.arange(7000.0) if ordered else random.integers(0, 7000, 7000).astype(float)
    y = random.normal(size=7000)
    y[random.integers(0, 7000, 5)] = np.nan
    at_once, watched = Trace(max_points), Trace(max_points)
    at_once.extend(x, y)
    feed(watched, list(zip(x.tolist(), y.tolist(), strict=True)), cuts)
    assert np.array_equal(watched.shown().x, at_once.shown().x)
    assert np.array_equal(watched.shown().y, at_once.shown().y, equal_nan=True)
    assert (watched.level, watched.nonfinite) == (at_once.level, at_once.nonfinite)


def wandering(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that mostly ascend, and now and then do not, repeat, make a leap or are nowhere."""
    steps = random.choice(
        [1.0, 1.0, 1.0, 0.2, 0.0, -5.0, 1e6, 1e-9], n, p=[0.3, 0.3, 0.2, 0.17, 0.01, 0.01, 0.005, 0.005]
    )
    x = np.cumsum(steps) * random.choice([1.0, 1e-300, 1e280]) + random.choice([0.0, -50.0])
    y = random.choice([0.0, -0.0, 1.0, -1.0, 3.0], n) * random.choice([1.0, 1e300])
    for array, kinds in ((x, [np.nan, np.inf]), (y, [np.nan, np.inf, -np.inf])):
        if random.random() < 0.5:
            array[random.integers(0, n, 3)] = random.choice(kinds, 3)
    return x, y


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 7, 40, 200]), st.booleans(), cuts)
def test_points_at_the_end_are_thinned_as_points_anywhere(seed, max_points, log, cuts):
    random = np.random.default_rng(seed)
    x, y = wandering(random, 900)
    resized = random.choice([4, 30, 100, 300], 2)
    quick, plain = (traced(kind, max_points, log) for kind in (Trace, Plain))
    for at, limit in zip((300, 600), resized, strict=True):
        part = slice(at - 300, at)
        feed(quick, list(zip(x[part].tolist(), y[part].tolist(), strict=True)), cuts)
        plain.extend(x[part], y[part])
        for trace in (quick, plain):
            trace.resize(int(limit))
            trace._batch = int(limit)
    quick.extend(x[600:], y[600:])
    plain.extend(x[600:], y[600:])
    assert np.array_equal(quick.shown().x, plain.shown().x)
    assert np.array_equal(quick.shown().y, plain.shown().y, equal_nan=True)
    assert (quick.level, quick.nonfinite, quick.skipped) == (plain.level, plain.nonfinite, plain.skipped)


@pytest.mark.parametrize("then", [np.full(480, np.nan), np.arange(480.0)])
def test_a_leap_of_x_is_thinned_alike_however_it_comes(then):
    """At the level of what was kept, its numbers of buckets would not be whole."""
    x = np.concatenate((np.arange(960.0) * 1e-300, np.geomspace(1e-290, 1e300, 480), then))
    y = np.sin(np.arange(len(x)))
    shown = []
    for kind, pieces in ((Trace, 1), (Trace, 4), (Plain, 4)):
        trace = kind(480)
        for part in np.split(np.arange(len(x)), pieces):
            trace.extend(x[part], y[part])
        shown.append((trace.shown().x.tolist(), trace.level))
    assert shown[0] == shown[1] == shown[2]


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_a_million_points_leave_two_thousand_and_cost_linear_work(order):
    n = 1_000_000
    random = np.random.default_rng(0)
    x = np.arange(n, dtype=float)
    y = np.sin(x / 5e4) + random.normal(size=n)
    y[123_456], y[654_321] = 40.0, -40.0
    places = {"ascending": np.arange(n), "descending": np.arange(n)[::-1], "shuffled": random.permutation(n)}[order]
    trace = Trace()
    for start in range(0, n, 1000):
        batch = places[start : start + 1000]
        trace.extend(x[batch], y[batch])
        if start % 100_000 == 0:
            assert size(trace.shown()) <= 2000
    shown = trace.shown()

    assert 900 < size(shown) <= 2000
    assert {(123_456.0, 40.0), (654_321.0, -40.0), (0.0, y[0]), (n - 1.0, y[-1])} <= line(shown)
    assert trace.work < 6 * n
    assert trace.count == n


def test_work_grows_with_the_number_of_points_not_with_its_square():
    work = []
    for n in (50_000, 500_000):
        trace = Trace()
        for start in range(0, n, 50):
            trace.extend(np.arange(start, start + 50), np.full(50, start % 7))
        trace.shown()
        work.append(trace.work)
    assert work[1] <= 11 * work[0]


def test_all_nan_is_marks_only():
    trace = Trace()
    trace.extend(np.arange(100_000), np.full(100_000, np.nan))
    shown = trace.shown()
    assert shown.mark_x.tolist() == list(range(MARKS))
    assert np.isnan(shown.y).all()
    assert trace.nonfinite["NaN"] == 100_000


def test_constant_keeps_its_ends():
    trace = Trace(max_points=10)
    trace.extend(np.arange(10_000), np.ones(10_000))
    assert {(0.0, 1.0), (9_999.0, 1.0)} <= line(trace.shown())


def test_huge_magnitudes_neither_overflow_nor_lose_the_extremes():
    trace = Trace(max_points=16)
    x = np.concatenate((-np.logspace(308, -300, 500), np.logspace(-300, 308, 500)))
    y = np.linspace(-1.0, 1.0, 1000) * 1.7e308
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        trace.extend(x, y)
        shown = trace.shown()
    assert (shown.y.min(), shown.y.max()) == (y[0], y[-1])


def test_log_axis_buckets_are_even_in_log_x():
    trace = Trace(max_points=400, log=True)
    x = np.arange(1, 100_001, dtype=float)
    trace.extend(x, np.random.default_rng(1).normal(size=len(x)))
    shown = trace.shown().x
    decades = np.histogram(shown, [1, 10, 100, 1_000, 10_000, 100_001])[0]
    assert decades[0] == 9
    assert decades[2] > 40
    assert decades[4] < 200


def test_points_without_a_place_are_dropped_and_counted():
    trace = Trace()
    trace.extend([np.nan, 1.0, np.inf], [1.0, 2.0, 3.0])
    assert line(trace.shown()) == {(1.0, 2.0)}
    assert trace.skipped == 2


def test_fewer_points_than_the_four_that_must_stay_are_refused():
    with pytest.raises(ValueRefusedError, match="expected at least 4"):
        Trace(max_points=3)
