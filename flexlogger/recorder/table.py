"""The table that a Recorder prints: its head once, then a row a validation."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

from flexlogger.screen import is_terminal

LEAST = 10
"""Letters of a cell, so that numbers fit below short names."""
GAP = 4
_BOLD, _RED, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"


class GrowingTable:
    """Prints rows of numbers below their names, on standard output or on `out`.

    The head is printed again only where a name is new. On a terminal it is bold, and numbers that are not finite are
    red (NO_COLOR is respected).

    >>> table = GrowingTable()
    >>> table.add({"valid_loss": 0.08123, "acc": 0.9753})  # doctest: +NORMALIZE_WHITESPACE
         valid_loss    acc
         0.0812        0.9753
    >>> table.add({"valid_loss": 0.0562, "acc": 0.9845})  # doctest: +NORMALIZE_WHITESPACE
         0.0562        0.9845
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out
        self._names: list[str] = []

    def add(self, row: Mapping[str, float]) -> None:
        """Print a row; a name that it lacks has an empty cell."""
        out = self._out or sys.stdout
        if out is None:
            return
        colour = is_terminal(out) and "NO_COLOR" not in os.environ
        new = [name for name in row if name not in self._names]
        if new:
            self._names += new
            head = self._line(list(self._names))
            print(f"{_BOLD}{head}{_PLAIN}" if colour else head, file=out)
        cells = [cell(row[name]) if name in row else "" for name in self._names]
        line = self._line(cells)
        bad = colour and any(value - value != 0.0 for value in row.values())
        print(f"{_RED}{line}{_PLAIN}" if bad else line, file=out, flush=True)

    def _line(self, cells: list[str]) -> str:
        width = max(LEAST, *map(len, self._names)) + GAP
        return "\t " + "".join(text.ljust(width) for text in cells)


def cell(value: float) -> str:
    """A number with four decimals; a very small or large one in powers of ten.

    >>> cell(0.97534), cell(0.0), cell(3.1e-7), cell(float("nan"))
    ('0.9753', '0.0000', '3.100e-07', 'nan')
    """
    return f"{value:.4f}" if value != value or value == 0.0 or 1e-4 <= abs(value) < 1e6 else f"{value:.3e}"
