"""The words a choice of statistics is made of. Light: configs are checked with them, without torch."""

from __future__ import annotations

import math
from typing import Any

from flexlogger.errors import ValueRefusedError

SOURCES = ("weights", "grads", "inputs", "outputs", "grad_in", "grad_out")
"""Parameters and their gradients; what a layer is given and returns; and the loss's gradients with respect to those."""
STATISTICS = ("mean", "std", "norm", "min", "max", "abs_mean", "zero_fraction", "nonfinite_fraction")
"""Those that any source has."""
HISTOGRAM, UPDATE_RATIO = "histogram", "update_ratio"
NAMES = (*STATISTICS, HISTOGRAM, UPDATE_RATIO)
MODES = ("by_layer", "by_metric", "by_stat")
"""A window per layer, per source, or per statistic."""


def parse_share(share: Any) -> float:
    """A fraction between 0 and 1 from a number or a percentage. Raises ValueRefusedError.

    >>> parse_share("1%"), parse_share(0.02)
    (0.01, 0.02)
    """
    try:
        value = float(share.rstrip("% ")) / 100 if isinstance(share, str) and "%" in share else float(share)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(share, bool) or not 0 < value < 1:
        raise ValueRefusedError(f"budget: expected a share of the steps' time such as '1%' or 0.01, but got {share!r}")
    return value
