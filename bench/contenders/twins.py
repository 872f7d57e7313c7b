"""Two equal models in one process, one of them watched: blocks of steps in turns tell what watching costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from bench.model_models import MODELS, Work


def seeded(make: Callable[[], Work]) -> Work:
    """What `make` makes, the same each time."""
    torch.manual_seed(0)
    return make()


class Twins:
    """Subclasses begin to watch `self.watched` in their constructor, and look at it in `after`, behind each step."""

    def __init__(self, model: str) -> None:
        torch.set_num_threads(1)
        self._bare, self.watched = (seeded(MODELS[model]) for _ in range(2))
        self.steps = 0

    @property
    def due(self) -> bool:
        """Whether the step that comes is watched, and not only counted."""
        return True

    def after(self) -> None:
        """Look at the model that has just done a step."""

    def settle(self) -> None:
        """Wait until nothing goes on in the background."""

    def figures(self) -> dict[str, Any]:
        """Figures of one's own, beside the times."""
        return {}

    def round(self, watched: bool, steps: int, seconds: float) -> dict[str, Any]:
        """Train one of the two for `steps` steps, or until `seconds` are over; milliseconds of each step, and whether
        it was due."""
        times: list[float] = []
        due: list[bool] = []
        end = time.perf_counter() + seconds
        while len(times) < steps and (not times or time.perf_counter() < end):
            due.append(watched and self.due)
            started = time.perf_counter()
            self._watched_step() if watched else self._bare.step()
            times.append((time.perf_counter() - started) * 1000)
        self.settle()
        return {"times": times, "due": due, **self.figures()}

    def _watched_step(self) -> None:
        self.watched.step()
        self.after()
        self.steps += 1

    def close(self) -> dict[str, Any]:
        return {}
