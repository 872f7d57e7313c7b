"""flexlogger: TooledModelLogger in a run with a real dashboard, or a TooledModel whose numbers nobody wants."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

import torch

from bench.contenders.twins import Twins
from flexlogger import TooledModel, TooledModelLogger

PARAMETERS = ("weights", "grads")
EVERYTHING = (*PARAMETERS, "inputs", "outputs", "grad_in", "grad_out")
STATS = ("mean", "std", "norm", "min", "max")


class Contender(Twins):
    """`what` is collected ("parameters" or "everything"), `when` says every or budget; `logged` also draws it, in the
    place that `pipe` says."""

    def __init__(
        self,
        model: str,
        folder: str,
        port: int,
        what: str,
        when: dict[str, Any],
        logged: bool = True,
        pipe: str = "thread",
    ) -> None:
        super().__init__(model)
        sources = PARAMETERS if what == "parameters" else EVERYTHING
        options: dict[str, Any] = {"sources": sources, "stats": STATS, "biases": True, **when}
        work = self.watched
        self._logger: TooledModelLogger | None = None
        if logged:
            place = {"server": "127.0.0.1", "port": port, "env": "bench", "dir": folder, "pipe": pipe}
            self._logger = TooledModelLogger(work.model, work.optimizer, **options, **place)
            self._tooled = self._logger.tooled
            self.after = self._logger.step  # type: ignore[method-assign]  # what a training loop calls
        else:
            self._tooled = TooledModel(work.model, work.optimizer, **options)

    @property
    def due(self) -> bool:
        return self._tooled.due

    def settle(self) -> None:
        if self._logger is not None:
            self._logger.flush(60)

    def figures(self) -> dict[str, Any]:
        status = self._tooled.status()
        own = {key: status[key] for key in ("cost_ms", "every", "share", "broken")}
        return {**own, "pass_ms": self._pass_ms}

    @cached_property
    def _pass_ms(self) -> float:
        """Once, in the first round, which does not count: it empties the caches."""
        return _one_pass(self.watched.model)

    def close(self) -> dict[str, Any]:
        if self._logger is not None:
            self._logger.close()
        return {}


def _one_pass(model: torch.nn.Module) -> float:
    """Milliseconds to read as much memory as the parameters and their gradients take, once."""
    count = 2 * sum(parameter.numel() for parameter in model.parameters())
    values, others = torch.ones(count).numpy(), torch.ones(100_000_000).numpy()
    found = []
    for _ in range(3):
        others.max()  # the caches are full of something else
        started = time.perf_counter()
        values.max()
        found.append(time.perf_counter() - started)
    return min(found) * 1000
