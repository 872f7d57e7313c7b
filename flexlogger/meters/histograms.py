"""Counting values into bins, on their device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from flexlogger.meters.tensors import on_device

BINS = 64
_CHUNK = 2**22  # values counted at a time: bounds the memory for their bin numbers


def histogram(values: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """Count the finite entries of a tensor of any shape into equal bins between their extremes.

    Returns a (2, bins + 1) float tensor on the same device: edges in row 0; counts and one 0 in row 1. A bin holds its
    left edge, the last one both; where all values are equal, the bins reach 0.5 to either side, as numpy's do.
    Nothing waits for the device.

    >>> histogram(torch.tensor([0.0, 1.0, 4.0, float("nan")]), 2).tolist()
    [[0.0, 2.0, 4.0], [2.0, 1.0, 0.0]]
    """
    wide = torch.float32 if values.device.type == "mps" else torch.float64
    flat = values.detach().reshape(-1)
    flat = flat if flat.dtype in (torch.float32, torch.float64) else flat.float()
    if not on_device(flat) and flat.numel() <= _CHUNK and (counted := _by_numpy(flat.numpy(), bins)) is not None:
        return torch.from_numpy(counted)
    low, high = _extremes(flat, wide)
    edges = low + (high - low) * torch.linspace(0, 1, bins + 1, dtype=wide, device=flat.device)
    counts = torch.zeros(bins + 2, dtype=torch.int64, device=flat.device)
    for chunk in torch.split(flat, _CHUNK):
        place = ((chunk.to(wide) - low) / (high - low) * bins).nan_to_num(0, 0, 0).floor().long().clamp(0, bins - 1)
        place = place.masked_fill(~chunk.isfinite(), bins + 1)
        counts.scatter_add_(0, place, torch.ones_like(place))
    counts[bins].zero_()
    return torch.stack([edges, counts[: bins + 1].to(wide)])


def _by_numpy(flat: np.ndarray[Any, Any], bins: int) -> np.ndarray[Any, Any] | None:
    """As `histogram`, in a third of the calls, since looking costs no wait here; None where the range overflows."""
    finite = np.isfinite(flat)
    flat = flat.astype(np.float64) if finite.all() else flat[finite].astype(np.float64)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite((high - low) * bins) or low == high:
        return None
    place = (flat - low) / (high - low) * bins
    counts = np.bincount(place.astype(np.intp), minlength=bins + 1)
    counts[bins - 1] += counts[bins]
    counts[bins] = 0
    return np.stack([low + (high - low) * np.arange(bins + 1) / bins, counts])


def _extremes(flat: torch.Tensor, wide: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and largest finite value as 0-d tensors, moved apart where they are equal; (0, 1) of none."""
    if not flat.numel():
        return flat.new_zeros((), dtype=wide), flat.new_ones((), dtype=wide)
    finite = flat.isfinite()
    low = flat.masked_fill(~finite, torch.inf).amin().to(wide)
    high = flat.masked_fill(~finite, -torch.inf).amax().to(wide)
    none, alike = low > high, low == high
    low, high = torch.where(none, 0.0, low), torch.where(none, 1.0, high)
    return low - 0.5 * alike, high + 0.5 * alike
