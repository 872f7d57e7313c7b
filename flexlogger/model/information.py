"""Entropy of binned layer outputs: the numbers behind the information plane of Shwartz-Ziv & Tishby (arXiv 1703.00810).

Every unit is cut into bins of equal width; a layer's state T on one input is the tuple of its units' bins. For a
deterministic network and distinct inputs H(T|X) = 0, so that

    I(X;T) = H(T)        I(T;Y) = H(T) + H(Y) - H(T,Y)        in bits, from counts.

What moves in the plane is this *binned* entropy. Saxe et al. (ICLR 2018) show that its compression comes with
nonlinearities that saturate on both sides and with the bins, not with learning as such; read it so.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from flexlogger.errors import ValueRefusedError

Array = np.ndarray[Any, Any]

MAX_BINS = 256
LARGEST_SHARE = 0.5
"""States per sample above which an estimate from a sample is refused: H(T) is then near log2(n), whatever the layer."""
LARGEST_BIAS = 0.1
"""Part of H(Y) that the bias bound of I(T;Y) may reach before the estimate is refused."""


class Estimate(msgspec.Struct, frozen=True):
    """One layer's place in the plane, in bits.

    `i_xt` and `i_ty` are NaN where `refusal` says why there is no estimate. `states` distinct states were seen in
    `samples` inputs; `bias` bounds how much too large `i_ty` may be from the size of the sample alone.
    """

    i_xt: float
    i_ty: float
    states: int
    samples: int
    bias: float
    refusal: str = ""


def estimate(
    outputs: Array, targets: Array, low: float, high: float, *, bins: int = 30, whole: bool = False
) -> Estimate:
    """Place a layer in the plane.

    `outputs` (N, units) of any float type are binned between `low` and `high` (values beyond belong to the outer
    bins), `targets` are N labels (N,) or rows (N, k). `whole` says that the inputs are all there are, each once, as the
    4,096 of the paper: counts are then exact and nothing is refused for want of samples.

    >>> outputs = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    >>> exact = estimate(outputs, np.array([0, 0, 1, 1]), -1.0, 1.0, whole=True)
    >>> exact.i_xt, exact.i_ty
    (1.0, 1.0)
    """
    samples = len(outputs)
    if samples == 0 or samples != len(targets):
        raise ValueRefusedError(f"information: expected as many targets as inputs, got {len(targets)} and {samples}")
    if not np.isfinite(outputs).all():
        return Estimate(np.nan, np.nan, 0, samples, 0.0, "its output holds NaN or infinite values")
    state = states(outputs, low, high, bins)
    label = row_ids(np.asarray(targets).reshape(samples, -1))
    h_t, h_y, h_ty = entropy(state), entropy(label), entropy(state * (label.max() + 1) + label)
    seen = int(state.max()) + 1
    bias = 0.0 if whole else bias_bound(seen, int(label.max()) + 1, samples)
    refusal = "" if whole else _refusal(seen, samples, bias, h_y)
    if refusal:
        return Estimate(np.nan, np.nan, seen, samples, bias, refusal)
    return Estimate(h_t, max(0.0, h_t + h_y - h_ty), seen, samples, bias)


def _refusal(states: int, samples: int, bias: float, h_y: float) -> str:
    if states > LARGEST_SHARE * samples:
        return f"{states} distinct states in {samples} inputs say nothing but log2 of the sample"
    if bias > LARGEST_BIAS * h_y:
        return f"{states} states in {samples} inputs: I(T;Y) may be {bias:.2f} bit too large, of {h_y:.2f} there are"
    return ""


def states(outputs: Array, low: float, high: float, bins: int = 30) -> Array:
    """The state of each row of (N, units), as (N,) int64 numbers from 0: equal numbers, equal bins throughout.

    >>> states(np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.9]]), 0.0, 1.0, bins=2).tolist()
    [0, 0, 1]
    """
    if not (2 <= bins <= MAX_BINS and low < high):
        raise ValueRefusedError(f"information: expected 2 to {MAX_BINS} bins and low < high, got {bins}, {low}, {high}")
    scaled = (outputs.astype(np.float64) - low) * (bins / (high - low))
    return row_ids(np.clip(scaled, 0, bins - 1).astype(np.uint8))


def row_ids(rows: Array) -> Array:
    """Number the distinct rows of (N, k) from 0, in the order of their bytes."""
    rows = np.ascontiguousarray(rows)
    if rows.shape[1] == 0:
        return np.zeros(len(rows), np.int64)
    whole_rows = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    return np.unique(whole_rows, return_inverse=True)[1].reshape(-1).astype(np.int64)


def entropy(ids: Array) -> float:
    """Plug-in entropy of (N,) ids in bits.

    >>> entropy(np.array([0, 1, 2, 3]))
    2.0
    """
    shares = np.unique(ids, return_counts=True)[1] / len(ids)
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # no -0.0


def bias_bound(states: int, labels: int, samples: int) -> float:
    """How much, in bits and to first order, I(T;Y) from `samples` is too large where T and Y are independent:
    (|T| - 1)(|Y| - 1) / (2 n ln 2) (Miller 1955; Panzeri & Treves 1996).

    >>> round(bias_bound(30, 2, 1000), 3)
    0.021
    """
    return (states - 1) * (labels - 1) / (2 * samples * math.log(2))
