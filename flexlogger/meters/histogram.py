"""Histogram of everything added since the last reset."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.catalog import declared_outputs
from flexlogger.meters.histograms import histogram
from flexlogger.meters.kept import Kept
from flexlogger.meters.tensors import as_tensor, count, to_device, wide, widest

KEEP = 2**20
"""Up to this many entries are kept and counted exactly; beyond it they are counted into fine bins."""
FINE = 64
"""Fine bins per bin: joining counts of different ranges moves an entry by at most a bin's 64th."""


class HistogramMeter(BaseMeter):
    """Histogram of all finite entries since the last reset, in `bins` equal bins between their extremes.

    Exact up to a million entries in all, and for one larger tensor. Beyond that, memory stays bounded, and an entry
    within a 64th of a bin from its edge may be counted next door. NaN and Inf are left out.

    >>> meter = HistogramMeter(bins=2)
    >>> meter.add([0.0, 1.0])
    >>> meter.add(4.0)
    >>> meter.value()
    array([[0., 2., 4.],
           [2., 1., 0.]])
    """

    def __init__(self, bins: int = 64) -> None:
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ValueRefusedError(f"HistogramMeter: bins: Expected an integer of at least 1 but got {bins!r:.60}")
        self.bins = bins
        self.outputs = declared_outputs("HistogramMeter", {"bins": bins})
        self.reset()

    @property
    def empty(self) -> bool:
        return self._counted is None and not len(self._kept)

    def add(self, value: Any) -> None:
        """Take a tensor, array, list or number of any shape. Raises ValueRefusedError for what is none."""
        flat = wide(as_tensor(value, "HistogramMeter.add")).reshape(-1)
        if not flat.numel():
            return
        if flat.numel() >= KEEP:
            self._count(flat)
        else:
            self._kept.add(flat)
            if len(self._kept) >= KEEP:
                self._count_kept()

    def value(self) -> np.ndarray[Any, Any]:
        """(2, bins + 1) float64: edges; counts and one 0. NaN edges when empty. Waits for a device."""
        if self.empty:
            return np.stack([np.full(self.bins + 1, np.nan), np.zeros(self.bins + 1)])
        return self._result().cpu().double().numpy()

    def collect(self) -> dict[str, Any]:
        """{'': histogram}, on its device."""
        return {"": Payload("histogram", self._result())}

    def reset(self) -> None:
        """Forget everything."""
        self._kept = Kept()
        self._counted: _Counts | None = None

    def _count_kept(self) -> None:
        if len(self._kept):
            kept, self._kept = self._kept.read(), Kept()
            self._count(kept)

    def _count(self, flat: torch.Tensor) -> None:
        counts = _Counts.of(flat, self.bins * FINE)
        self._counted = counts if self._counted is None else self._counted.merge(counts)

    def _result(self) -> torch.Tensor:
        if self._counted is None:
            return histogram(self._kept.read(), self.bins)
        self._count_kept()
        return self._counted.coarse(self.bins)


class _Counts:
    """Counts in fine bins between the least and the largest entry (0-d tensors; inf and -inf where there is none)."""

    def __init__(self, low: torch.Tensor, high: torch.Tensor, counts: torch.Tensor) -> None:
        self.low, self.high, self.counts = low, high, counts

    @classmethod
    def of(cls, flat: torch.Tensor, bins: int) -> _Counts:
        """Count the finite entries of (N,) floats, without a wait."""
        finite = flat.isfinite()
        low = flat.masked_fill(~finite, torch.inf).amin().to(widest(flat.device))
        high = flat.masked_fill(~finite, -torch.inf).amax().to(widest(flat.device))
        place = torch.where(finite, _place(flat, low, high, bins), bins)
        return cls(low, high, count(place, bins + 1)[:-1])

    def merge(self, other: _Counts) -> _Counts:
        """Both in the bins of their common range."""
        home = self.low.device
        other = _Counts(*(to_device(part, home) for part in (other.low, other.high, other.counts)))
        low, high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)
        return _Counts(low, high, self._moved(low, high) + other._moved(low, high))

    def _moved(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        bins = len(self.counts)
        middles = (torch.arange(bins, device=low.device, dtype=low.dtype) + 0.5) / bins
        place = _place(self.low + (self.high - self.low) * middles, low, high, bins)
        return torch.zeros_like(self.counts).scatter_add_(0, place, self.counts)

    def coarse(self, bins: int) -> torch.Tensor:
        """As a histogram of `bins` bins; equal entries stand in the middle of a range of 1, as numpy's do."""
        none, alike = self.low > self.high, self.low == self.high
        low = torch.where(none, 0.0, self.low) - 0.5 * alike
        high = torch.where(none, 1.0, self.high) + 0.5 * alike
        edges = low + (high - low) * torch.linspace(0, 1, bins + 1, dtype=low.dtype, device=low.device)
        counts = torch.nn.functional.pad(self.counts.reshape(bins, -1).sum(1), (0, 1))
        return torch.stack([edges, counts.to(low.dtype)])


def _place(entries: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bins: int) -> torch.Tensor:
    """Which of the equal bins between `low` and `high` each entry is in; the middle one where these are equal."""
    place = ((entries.to(low.dtype) - low) / (high - low) * bins).nan_to_num(0, 0, 0).floor().long().clamp(0, bins - 1)
    return torch.where(low == high, bins // 2, place)
