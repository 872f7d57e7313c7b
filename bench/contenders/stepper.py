"""What all contenders of the hot path share: a step, and waiting until what it began has ended."""

from __future__ import annotations

import time
from typing import Any

from bench import stepping


class Stepper:
    """Subclasses log five scalars in `step`; `settle` waits for what goes on behind it."""

    def __init__(self) -> None:
        self._done = 0

    def step(self, i: int, values: stepping.Values) -> object:
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until nothing goes on in the background."""

    def figures(self) -> dict[str, Any]:
        """Figures of the contender's own, beside the times."""
        return {}

    def round(self, pace: float, seconds: float, most: int) -> dict[str, Any]:
        """Log at `pace` steps a second (0: as fast as it goes, up to `most`) for `seconds`, then settle."""
        if pace:
            figures = stepping.paced(self.step, self._done, pace, seconds)
        else:
            figures = stepping.tight(self.step, self._done, most, seconds)
        self._done += figures["steps"]
        started = time.perf_counter()
        self.settle()
        return {**figures, **self.figures(), "settle_s": time.perf_counter() - started}

    def close(self) -> dict[str, Any]:
        return {}
