"""How far long work is, for whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from flexlogger.screen import Screen, screen

PATIENCE_S = 1.0
"""Work that is done by then is not worth a bar."""
INTERVAL_S = 0.1


class Progress:
    """A bar below everything else on the terminal, from the second second on; nothing where there is no terminal.

    `total` and what `advance` is told are bytes.
    """

    def __init__(
        self, text: str, total: int, *, on: Screen | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.text = text
        self.total = total
        self.done = 0
        self._screen = on if on is not None else screen()
        self._clock = clock
        self._started = clock()
        self._due = self._started + PATIENCE_S
        self._shown = False

    def advance(self, size: int) -> None:
        """Count what was done, and show it."""
        self.done += size
        self.show()

    def show(self) -> None:
        """Draw the bar where it is time to."""
        if self._screen is None or self._clock() < self._due:
            return
        self._due = self._clock() + INTERVAL_S
        self._shown = True
        self._screen.show(self, [self._line(self._screen.size()[0])])

    def _line(self, columns: int) -> str:
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        passed = self._clock() - self._started
        left = f", {passed / share * (1 - share):.0f} s left" if share else ""
        end = f" {share:4.0%} of {self.total / 1e6:,.0f} MB{left}"
        width = max(0, min(40, columns - len(self.text) - len(end) - 2))
        return f"{self.text} {'━' * round(width * share)}{'╌' * (width - round(width * share))}{end}"[:columns]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._screen is not None:
            self._screen.release(self)
