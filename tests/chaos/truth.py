"""What a training process did, told by the process itself in memory that outlives it."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import numpy as np

COLUMNS = ("step", "value", "time", "add_s", "log_s", "control_s", "queued_s")
_ROW = struct.Struct("<7d")
_COUNT = struct.Struct("<q")
_HEAD = 64
_STOP = 32  # where the byte stands that asks the process to end


class Truth:
    """Rows in a shared mapping of a file: `note` is a store to memory, so a SIGKILL takes nothing of it away.

    A row is noted once `log` has returned. `add_s` and `log_s` are how long the two calls took, `control_s` how long a
    stretch of plain Python beside them took, `queued_s` how long the kernel let the training thread wait for a core
    during the calls.
    """

    def __init__(self, path: Path, rows: int | None = None) -> None:
        if rows is not None:
            with path.open("xb") as file:
                file.truncate(_HEAD + rows * _ROW.size)
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.room = (len(self._memory) - _HEAD) // _ROW.size
        self._count = self.count

    @property
    def count(self) -> int:
        """Rows noted so far."""
        return int(_COUNT.unpack_from(self._memory, 0)[0])

    def note(self, *row: float) -> bool:
        """Add a row; False where it was the last that there is room for."""
        _ROW.pack_into(self._memory, _HEAD + self._count * _ROW.size, *row)
        self._count += 1
        _COUNT.pack_into(self._memory, 0, self._count)
        return self._count < self.room

    def stop(self) -> None:
        """Ask the process to end its loop."""
        self._memory[_STOP] = 1

    @property
    def stopping(self) -> bool:
        """True once the process was asked to end."""
        return self._memory[_STOP] == 1

    def rows(self) -> np.ndarray:
        """The rows so far: (N, 7), columns as in COLUMNS."""
        return (
            np.frombuffer(self._memory, np.float64, self.count * len(COLUMNS), _HEAD).reshape(-1, len(COLUMNS)).copy()
        )

    def column(self, name: str) -> np.ndarray:
        """One column of `rows`."""
        return self.rows()[:, COLUMNS.index(name)]

    def points(self) -> list[tuple[float, float]]:
        """(step, value) of every row."""
        return [(float(step), float(value)) for step, value in self.rows()[:, :2]]
