"""Count, mean and squared deviations of numbers, and how those of two groups merge."""

from __future__ import annotations

import math
from typing import Any, Self

import msgspec
import numpy as np
import torch

from flexlogger.meters.scalar import Number

_BY_HAND = 32
"""Up to this many numbers Python's own sum is quicker than numpy."""


class Moments(msgspec.Struct, frozen=True):
    """`n` numbers with mean `mean` and sum of squared deviations from it `m2` (floats, or 0-d tensors of a device)."""

    n: int = 0
    mean: Number = 0.0
    m2: Number = 0.0

    @classmethod
    def of(cls, values: list[float]) -> Self:
        """The moments of at least one float, in two passes, which is stable whatever their offset.

        >>> Moments.of([1.0, 2.0, 3.0])
        Moments(n=3, mean=2.0, m2=2.0)
        """
        n = len(values)
        if n > _BY_HAND:
            return cls.of_array(np.array(values))
        try:
            mean = math.fsum(values) / n
        except (OverflowError, ValueError):  # beyond the largest float, or infinity less infinity
            mean = sum(values) / n
        return cls(n, mean, sum((value - mean) * (value - mean) for value in values))

    @classmethod
    def of_array(cls, values: np.ndarray[Any, Any]) -> Self:
        """The moments of (N,) float64 numbers, N >= 1."""
        with np.errstate(all="ignore"):  # NaN and infinity are values like others here
            mean = float(values.mean())
            away = values - mean
            return cls(len(values), mean, float(away @ away))

    @classmethod
    def of_tensor(cls, values: torch.Tensor) -> Self:
        """The moments of (N,) numbers of a device, N >= 1, on that device."""
        mean = values.mean()
        return cls(values.numel(), mean, (values - mean).square().sum())

    def merge(self, other: Moments) -> Moments:
        """The moments of both groups together (Chan, Golub & LeVeque 1979, eq. 2.1).

        >>> Moments.of([1.0]).merge(Moments.of([2.0, 3.0]))
        Moments(n=3, mean=2.0, m2=2.0)
        """
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.n / n)
        weighted = (self.mean * self.n + other.mean * other.n) / n  # what holds for infinite means
        if isinstance(delta, torch.Tensor):
            mean = torch.where(delta.isfinite(), mean, weighted)
        elif not math.isfinite(delta):
            mean = weighted
        return Moments(n, mean, self.m2 + other.m2 + delta * delta * (self.n / n * other.n))

    @property
    def std(self) -> Number:
        """Standard deviation with n - 1 in the denominator; NaN below two numbers."""
        if self.n < 2:
            return math.nan
        variance = self.m2 / (self.n - 1)
        return variance.sqrt() if isinstance(variance, torch.Tensor) else math.sqrt(variance)

    def collect(self) -> dict[str, Number]:
        """What a meter of these moments logs: the mean, and from two numbers on the standard deviation."""
        return {"": self.mean, ".std": self.std} if self.n >= 2 else {"": self.mean}

    def read(self) -> tuple[float, float]:
        """Mean and standard deviation as floats (NaN where there are none); waits for a device."""
        return (float(self.mean), float(self.std)) if self.n else (math.nan, math.nan)
