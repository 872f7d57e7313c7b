"""The information plane's numbers against cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flexlogger.errors import ValueRefusedError
from flexlogger.model.information import bias_bound, entropy, estimate, states

EVERY = np.array([[index >> bit & 1 for bit in range(12)] for index in range(4096)], dtype=np.float64)
"""All inputs of 12 bits, as in the paper."""


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_a_layer_that_copies_k_bits_holds_k_bits(k: int) -> None:
    seen = estimate(EVERY[:, :k], EVERY[:, 0], 0.0, 1.0, whole=True)
    assert (seen.i_xt, seen.i_ty, seen.states) == (k, 1.0, 2**k)


def test_a_layer_without_the_label_s_bit_knows_nothing_of_it() -> None:
    assert estimate(EVERY[:, 1:6], EVERY[:, 0], 0.0, 1.0, whole=True).i_ty == 0.0


def test_a_constant_layer_holds_nothing() -> None:
    seen = estimate(np.ones((100, 3)), np.arange(100) % 2, 0.0, 1.0)
    assert (seen.i_xt, seen.i_ty, seen.states, seen.refusal) == (0.0, 0.0, 1, "")


def test_a_binary_symmetric_channel() -> None:
    """I = 1 - H2(0.1) = 0.5310 bit; the sample's is off by less than 1e-3 at 200,000."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200_000)
    noisy = label ^ (rng.random(200_000) < 0.1)
    truth = 1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9)
    assert estimate(noisy[:, None].astype(float), label, 0.0, 1.0).i_ty == pytest.approx(truth, abs=3e-3)


@pytest.mark.parametrize("n", [1000, 10_000])
def test_independent_values_show_the_bias_that_is_told(n: int) -> None:
    rng = np.random.default_rng(1)
    seen = [estimate(rng.random((n, 1)), rng.integers(0, 2, n), 0.0, 1.0, bins=30) for _ in range(20)]
    mean = np.mean([one.i_ty for one in seen])
    assert mean == pytest.approx(bias_bound(30, 2, n), rel=0.2)
    assert seen[0].bias == bias_bound(seen[0].states, 2, n)


def test_too_small_a_sample_is_refused_and_says_why() -> None:
    rng = np.random.default_rng(2)
    wide = estimate(rng.random((1000, 8)), rng.integers(0, 2, 1000), 0.0, 1.0)
    assert math.isnan(wide.i_xt)
    assert math.isnan(wide.i_ty)
    assert "1000 inputs" in wide.refusal
    biased = estimate(rng.random((1000, 1)), rng.integers(0, 50, 1000), 0.0, 1.0, bins=30)
    assert "bit too large" in biased.refusal
    whole = estimate(rng.random((1000, 8)), rng.integers(0, 2, 1000), 0.0, 1.0, whole=True)
    assert whole.i_xt == pytest.approx(math.log2(1000))


def test_wide_random_layers_saturate_at_the_sample() -> None:
    rng = np.random.default_rng(3)
    seen = []
    for width in (2, 4, 10):
        outputs = np.tanh((2 * EVERY - 1) @ rng.normal(size=(12, width)) / np.sqrt(12) * 1.5)
        seen.append(estimate(outputs, EVERY[:, 0], -1.0, 1.0, whole=True).i_xt)
    assert seen[0] < 11
    assert seen[0] < seen[1] < seen[2]
    assert seen[2] > 11.95


def test_saturation_compresses_tanh_and_not_relu() -> None:
    """Saxe et al.: with growing weights the binned entropy of tanh falls, that of relu (range to its maximum) stays."""
    rng = np.random.default_rng(4)
    weights = rng.normal(size=(12, 8)) / np.sqrt(12)
    tanh, relu = [], []
    for scale in (0.5, 3.0, 10.0):
        before = scale * (2 * EVERY - 1) @ weights
        tanh.append(estimate(np.tanh(before), EVERY[:, 0], -1.0, 1.0, whole=True).i_xt)
        rectified = np.maximum(before, 0)
        relu.append(estimate(rectified, EVERY[:, 0], 0.0, float(rectified.max()), whole=True).i_xt)
    assert tanh[0] > tanh[1] > tanh[2]
    assert tanh[0] - tanh[2] > 1.0
    assert max(relu) - min(relu) < 0.05


def test_edges_belong_to_the_outer_bins() -> None:
    assert states(np.array([[-5.0], [0.0], [1.0], [7.0]]), 0.0, 1.0, bins=2).tolist() == [0, 0, 1, 1]


def test_labels_of_any_kind_and_rows() -> None:
    outputs = np.array([[0.0], [1.0]] * 8)
    assert estimate(outputs, np.array(["a", "b"] * 8), 0.0, 1.0).i_ty == 1.0
    assert estimate(outputs, np.array([[1, 0], [0, 1]] * 8), 0.0, 1.0).i_ty == 1.0


def test_entropy_of_one_value_is_zero_not_minus_zero() -> None:
    assert math.copysign(1, entropy(np.zeros(5, dtype=np.int64))) == 1


def test_what_cannot_be_measured() -> None:
    with pytest.raises(ValueRefusedError, match="as many targets as inputs, got 2 and 3"):
        estimate(np.zeros((3, 1)), np.zeros(2), 0.0, 1.0)
    with pytest.raises(ValueRefusedError, match="2 to 256 bins"):
        estimate(np.zeros((3, 1)), np.zeros(3), 0.0, 1.0, bins=1)
    assert "NaN" in estimate(np.array([[math.nan]]), np.zeros(1), 0.0, 1.0).refusal
