"""Meters of tensors: their own rules, refusals, and results held against numpy and scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters import histogram
from tests.meter_cases import CASES, make, meter_of


@pytest.mark.parametrize("label", CASES)
def test_empty_until_something_is_added(label: str) -> None:
    meter = meter_of(label)
    assert meter.empty
    meter.value()  # NaN or nothing, but no error
    meter.reset()
    assert meter.empty


@pytest.mark.parametrize(
    ("name", "opts", "args"),
    [
        ("MSEMeter", {}, ("x", 1.0)),
        ("MSEMeter", {}, (torch.zeros(2), torch.zeros(3))),
        ("MSEMeter", {}, (torch.zeros(2, dtype=torch.complex64), torch.zeros(2))),
        ("ConfusionMeter", {"k": 3}, (torch.zeros(4, 2), torch.zeros(4))),
        ("ConfusionMeter", {"k": 3}, (torch.zeros(4), torch.zeros(5))),
        ("ConfusionMeter", {"k": 3}, ([0, 3], [0, 1])),
        ("ConfusionMeter", {"k": 3}, ([0.0, math.nan], [0, 1])),
        ("ConfusionMeter", {"k": 2}, ([0, 1], [[1, 1], [0, 1]])),
        ("ClassErrorMeter", {"topk": [5]}, (torch.zeros(2, 3), [0, 1])),
        ("ClassErrorMeter", {}, (torch.zeros(2, 3, 4), [0, 1])),
        ("ClassErrorMeter", {}, (torch.zeros(2, 3), [0, 1, 2])),
        ("AUCMeter", {}, ([0.1, 0.2], [0, 2])),
        ("AUCMeter", {}, (torch.zeros(2, 2), torch.zeros(2, 2))),
        ("AUCMeter", {}, ([0.1, 0.2], [0])),
        ("APMeter", {}, (torch.zeros(2, 2), torch.full((2, 2), 0.5))),
        ("APMeter", {}, (torch.zeros(2, 2), torch.zeros(2, 3))),
        ("APMeter", {}, (torch.zeros(2, 2), torch.zeros(2, 2), [-1.0, 1.0])),
        ("mAPMeter", {}, (torch.zeros(2, 2), torch.zeros(2, 2), [1.0])),
        ("AccuracyMeter", {}, (torch.zeros(3), torch.zeros(3))),
        ("AccuracyMeter", {}, (torch.zeros(3, 2, dtype=torch.complex64), torch.zeros(3))),
        ("AccuracyMeter", {}, (torch.zeros(3, 2), torch.zeros(3, dtype=torch.complex64))),
        ("AccuracyMeter", {}, (torch.zeros(3, 1), torch.zeros(3))),
        ("AccuracyMeter", {}, (torch.zeros(3, 4), torch.zeros(2))),
        ("HistogramMeter", {}, ("x",)),
        ("HistogramMeter", {}, ([[1], [2, 3]],)),
    ],
)
def test_what_cannot_be_taken_is_told_in_one_line(name: str, opts: dict[str, Any], args: tuple[Any, ...]) -> None:
    meter = make(name, **opts)
    with pytest.raises(ValueRefusedError, match=rf"^{name}\.add[^\n]*: Expected [^\n]* but [^\n]*$"):
        meter.add(*args)
    assert meter.empty


def test_ap_refuses_another_number_of_classes() -> None:
    meter = make("APMeter")
    meter.add(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValueRefusedError, match="Expected 2 classes, as before, but got 3"):
        meter.add(torch.zeros(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("name", "opts"),
    [
        ("ConfusionMeter", {"k": 0}),
        ("ConfusionMeter", {"k": 2.5}),
        ("ClassErrorMeter", {"topk": []}),
        ("ClassErrorMeter", {"topk": [0]}),
        ("ClassErrorMeter", {"topk": True}),
        ("HistogramMeter", {"bins": 0}),
        ("HistogramMeter", {"bins": True}),
    ],
)
def test_options_that_make_no_meter(name: str, opts: dict[str, Any]) -> None:
    with pytest.raises(ValueRefusedError, match=rf"^{name}: {next(iter(opts))}: Expected"):
        make(name, **opts)


def test_confusion_has_truth_in_rows() -> None:
    meter = make("ConfusionMeter", k=3, normalized=True)
    meter.add([2, 2, 0], [1, 1, 0])
    assert meter.value().tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_half_precision_sums_do_not_overflow() -> None:
    meter = make("MSEMeter")
    meter.add(torch.full((100, 100), 60000.0, dtype=torch.float16), torch.zeros(100, 100, dtype=torch.float16))
    assert meter.value() == pytest.approx(59999.0**2, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_auc_with_ties_is_scikit_learns(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, 6, 60) / 5, rng.integers(0, 2, 60)
    meter, turned = make("AUCMeter"), make("AUCMeter")
    meter.add(scores, truth)
    turned.add(scores[::-1], truth[::-1])
    assert meter.value()[0] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert turned.value()[0] == pytest.approx(meter.value()[0])


def test_auc_is_nan_with_one_class_or_a_nan_score() -> None:
    for scores, truth in (([0.1, 0.2], [1, 1]), ([0.1, math.nan], [0, 1])):
        meter = make("AUCMeter")
        meter.add(scores, truth)
        assert math.isnan(meter.value()[0])


def test_a_long_curve_is_thinned_to_its_ends() -> None:
    rng = np.random.default_rng(0)
    meter = make("AUCMeter")
    meter.add(rng.random(5000), rng.integers(0, 2, 5000))
    curve = meter.collect()[".curve"].value
    assert curve.shape == (2, 1000)
    assert (curve[:, 0].tolist(), curve[:, -1].tolist()) == ([0.0, 0.0], [1.0, 1.0])
    assert float(torch.trapezoid(curve[1], curve[0])) == pytest.approx(meter.value()[0], abs=1e-3)


def test_ap_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scores, truth = rng.random((80, 3)), rng.integers(0, 2, (80, 3))
    meter = make("APMeter")
    meter.add(scores, truth)
    expected = [metrics.average_precision_score(truth[:, k], scores[:, k]) for k in range(3)]
    assert meter.value().tolist() == pytest.approx(expected)


def test_samples_without_a_weight_weigh_one() -> None:
    scores, truth = torch.rand(6, 2), torch.randint(2, (6, 2))
    some, all_ = make("APMeter"), make("APMeter")
    some.add(scores[:3], truth[:3])
    some.add(scores[3:], truth[3:], torch.full((3, 1), 2.0))
    all_.add(scores, truth, [1, 1, 1, 2, 2, 2])
    assert torch.equal(some.value(), all_.value())


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_accuracy_over_pixels_and_classes(shape: tuple[int, ...]) -> None:
    g = torch.Generator().manual_seed(0)
    scores, truth = torch.randn(5, 4, *shape, generator=g), torch.randint(4, (5, *shape), generator=g)
    logits, classes = make("AccuracyMeter"), make("AccuracyMeter")
    logits.add(scores, truth)
    classes.add(scores.argmax(1), truth)
    assert logits.value() == classes.value() == pytest.approx((scores.argmax(1) == truth).float().mean().item())


@pytest.mark.parametrize(
    "scores", [[[2.0, 2.0, 1.0]], [[1.0, math.nan, 3.0]], [[math.nan, math.nan, 0.0]], [[-math.inf] * 3]]
)
def test_accuracy_breaks_ties_and_takes_nan_as_torch_does(scores: list[list[float]]) -> None:
    given = torch.tensor(scores)
    for truth in range(3):
        meter = make("AccuracyMeter")
        meter.add(given, torch.tensor([truth]))
        assert meter.value() == float(given.argmax(1).item() == truth)


@pytest.mark.parametrize("n", [1, 512, 513, 1000])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.int64])
def test_accuracy_of_batches_of_any_size(n: int, dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    scores, truth = (torch.randn(n, 4, generator=g) * 10).to(dtype), torch.randint(4, (n,), generator=g)
    meter, sparse = make("AccuracyMeter"), make("AccuracyMeter")
    meter.add(scores, truth)
    sparse.add(scores.to_sparse(), truth)
    assert meter.value() == sparse.value() == np.mean(scores.double().numpy().argmax(1) == truth.numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("bins", [1, 7, 64])
def test_histogram_is_numpys(dtype: torch.dtype, bins: int) -> None:
    values = (torch.randn(5, 50, generator=torch.Generator().manual_seed(0)) * 10).to(dtype)
    meter = make("HistogramMeter", bins=bins)
    for row in values:
        meter.add(row)
    counts, edges = np.histogram(values.double().numpy(), bins)
    assert meter.value()[1, :-1].tolist() == counts.tolist()
    assert meter.value()[0] == pytest.approx(edges)


@pytest.mark.parametrize("bins", [1, 7, 64])
def test_histogram_beyond_what_is_kept(bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "KEEP", 1000)
    g = torch.Generator().manual_seed(0)
    rows = [torch.randn(700, generator=g) * (i + 1) for i in range(10)]
    meter = make("HistogramMeter", bins=bins)
    for row in rows:
        meter.add(row)
        assert len(meter._kept) < 1000
    values = torch.cat(rows).double().numpy()
    counts, edges = np.histogram(values, bins)
    found = meter.value()
    assert found[0] == pytest.approx(edges)
    assert found[1].sum() == len(values)
    drift = np.abs(np.cumsum(found[1, :-1]) - np.cumsum(counts)).max()
    assert drift <= len(values) * 0.02


def test_histogram_of_one_large_tensor_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "KEEP", 1000)
    values = torch.randn(5000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    meter = make("HistogramMeter", bins=10)
    meter.add(values)
    assert meter.value()[1, :-1].tolist() == np.histogram(values.numpy(), 10)[0].tolist()


@pytest.mark.parametrize("keep", [1, 1000])
def test_histogram_of_equal_and_of_no_finite_entries(keep: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "KEEP", keep)
    meter = make("HistogramMeter", bins=3)
    meter.add([2.0, 2.0, math.nan, math.inf])
    assert meter.value().tolist() == [pytest.approx([1.5, 1.5 + 1 / 3, 1.5 + 2 / 3, 2.5]), [0, 2, 0, 0]]
    meter.reset()
    meter.add(math.nan)
    assert meter.value()[1].sum() == 0
    assert not np.isnan(meter.value()).any()
