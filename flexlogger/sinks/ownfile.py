"""A file that one sink writes: begun anew each time, then grown by whole pieces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from flexlogger.errors import SinkError


class OwnFile:
    """What stood there before is replaced by the first piece: a view is made again from the log, never added to.

    A piece that a refusing disk took only a part of is taken back, so that it can be written again. Everything raises
    SinkError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._end = 0

    def append(self, piece: bytes) -> None:
        """Write a piece at the end; the first one makes the file and its folder."""
        if not piece:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb", buffering=0)
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._take_back()
            raise SinkError(f"cannot write {self.path} ({error.strerror or error})") from error
        self._end += len(piece)

    def _take_back(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.truncate(self._end)
                self._file.seek(self._end)

    def rewrite(self, change: Callable[[BinaryIO], Iterator[bytes]]) -> None:
        """Put in place of the file what `change` makes of it; its pieces are written as they come."""
        if self._file is None:
            return
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            with self.path.open("rb") as old, beside.open("wb") as new:
                for piece in change(old):
                    new.write(piece)
            os.replace(beside, self.path)
            self._file.close()
            self._file = self.path.open("ab", buffering=0)
            self._end = self._file.tell()
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise SinkError(f"cannot write {self.path} ({error.strerror or error})") from error

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
