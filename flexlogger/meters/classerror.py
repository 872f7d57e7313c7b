"""Top-k classification error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.catalog import declared_outputs
from flexlogger.meters.tensors import Total, as_tensor, number, shape, together, widest


class ClassErrorMeter(BaseMeter):
    """Percentage of samples whose class is not among the k highest scores; with `accuracy`, of those where it is.

    >>> meter = ClassErrorMeter(topk=[1, 2])
    >>> meter.add([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], [1, 2])
    >>> meter.value()
    [50.0, 0.0]
    """

    additive: ClassVar[bool] = True

    def __init__(self, topk: int | Iterable[int] = (1,), accuracy: bool = False) -> None:
        entries = [topk] if isinstance(topk, int) else list(topk)
        if not entries or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in entries):
            raise ValueRefusedError(f"ClassErrorMeter: topk: Expected integers of at least 1 but got {topk!r:.60}")
        self.topk = sorted(set(entries))
        self.accuracy = accuracy
        self.outputs = declared_outputs("ClassErrorMeter", {"topk": self.topk})
        self.reset()

    @property
    def empty(self) -> bool:
        return not self._n

    def add(self, output: Any, target: Any) -> None:
        """Take (N, K) scores, or (K,) of one sample, and (N,) classes or one class. Raises ValueRefusedError."""
        scores, truth = together(
            _rows(as_tensor(output, "ClassErrorMeter.add: output")),
            as_tensor(target, "ClassErrorMeter.add: target").reshape(-1),
        )
        if len(scores) != len(truth):
            got = f"{len(scores)} and {len(truth)}"
            raise ValueRefusedError(f"ClassErrorMeter.add: Expected as many outputs as targets but got {got}")
        most = self.topk[-1]
        if scores.shape[1] < most:
            got = f"a score for {scores.shape[1]}"
            raise ValueRefusedError(f"ClassErrorMeter.add: topk: Expected at least {most} classes but got {got}")
        right = scores.topk(most, dim=1).indices == truth[:, None]
        self._hits.add(torch.stack([right[:, :k].sum() for k in self.topk]))
        self._n += len(scores)

    def value(self, k: int | None = None) -> Any:
        """List of floats in [0, 100], one per k in rising order, or that of one `k`; NaN when empty.

        Waits for a device. Raises ValueRefusedError for a `k` that was not asked for at construction.
        """
        if k is not None and k != -1 and k not in self.topk:
            raise ValueRefusedError(f"ClassErrorMeter.value: k: Expected one of {self.topk} but got {k!r:.60}")
        percents = self._percents().tolist()
        return percents if k is None or k == -1 else percents[self.topk.index(k)]

    def collect(self) -> dict[str, Any]:
        """{'': percentage}, or {'@1': …, '@5': …} for several k: floats or 0-d tensors on their device."""
        return self._named(self._percents())

    def state(self) -> torch.Tensor:
        """[hits of each k, count]."""
        hits = self._hits.read().cpu() if self._n else torch.zeros(len(self.topk))
        return torch.cat([hits.double(), torch.tensor([float(self._n)], dtype=torch.float64)])

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """As `collect`, over all ranks."""
        total = states.sum(0)
        return self._named(self._percents_of(total[:-1], total[-1]))

    def _named(self, percents: torch.Tensor) -> dict[str, Any]:
        return {output.name: number(p) for output, p in zip(self.outputs, percents.unbind(), strict=True)}

    def _percents(self) -> torch.Tensor:
        return self._percents_of(self._hits.read(), self._n) if self._n else torch.full((len(self.topk),), math.nan)

    def _percents_of(self, hits: torch.Tensor, n: int | torch.Tensor) -> torch.Tensor:
        counted = hits if self.accuracy else n - hits
        return counted.to(widest(hits.device)) / n * 100.0

    def reset(self) -> None:
        """Forget everything."""
        self._hits = Total()
        self._n = 0


def _rows(scores: torch.Tensor) -> torch.Tensor:
    """(N, K) of scores; (K,) is one row, and (N, K, 1, 1) loses its tail."""
    if scores.dim() == 1:
        return scores[None]
    if scores.dim() >= 2 and scores[:1, :1].numel() == min(len(scores), 1) * min(scores.shape[1], 1):
        return scores.reshape(scores.shape[:2])
    raise ValueRefusedError(f"ClassErrorMeter.add: output: Expected shape (N, K) or (K,) but got {shape(scores)}")
