"""A file that only grows, through every refusal of the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flexlogger.runs.files import sync_folder

LOOK_S = 1.0
"""How often it is looked whether the file is still where it was made."""


class AppendFile:
    """Appends to a new file at `path`, which the first `commit` makes, folders included.

    What a refusing disk did not take stays buffered, and the next `commit` goes on at exactly that byte. Everything
    before `offset` has passed write(2). With `fsync`, it is synchronised that many seconds after it last was.
    """

    def __init__(self, path: Path, fsync: float | None, clock: Callable[[], float]) -> None:
        self.path = path
        self.offset = 0
        self.buffer = bytearray()
        self._fsync = fsync
        self._clock = clock
        self._synced = self._looked = clock()
        self._fd: int | None = None

    def commit(self) -> None:
        """Write what is buffered. Raises OSError where the disk refuses; what it took is not written twice."""
        fd = self._fd if self._fd is not None else self._open()
        while self.buffer:
            written = os.write(fd, self.buffer)
            del self.buffer[:written]
            self.offset += written
        if self._fsync is not None and self._clock() - self._synced >= self._fsync:
            os.fsync(fd)
            self._synced = self._clock()

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if self._fsync is not None:
            sync_folder(self.path.parent)
        return self._fd

    def was_removed(self, now: bool = False) -> bool:
        """True where the file was made and is no longer at its path. Looks once a second, or `now`."""
        if self._fd is None or not (now or self._clock() - self._looked >= LOOK_S):
            return False
        self._looked = self._clock()
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # nobody can tell

    def is_deleted(self) -> bool:
        """True where what was written is in no folder any more; False where it was moved."""
        return self._fd is not None and os.fstat(self._fd).st_nlink == 0

    def start_over(self, content: bytes) -> None:
        """Let go of the file and make a new one at the next `commit`, which begins with `content`.

        Where another file has taken its path (a copy that was put back), the new one's name is a letter longer.
        """
        self.close()
        while self.path.exists():
            self.path = self.path.with_stem(f"{self.path.stem}x")
        self.offset = 0
        self.buffer[:] = content

    def close(self) -> None:
        """Release the file; what a refusing disk left buffered is lost."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                if self._fsync is not None:
                    os.fsync(fd)
            finally:
                os.close(fd)
