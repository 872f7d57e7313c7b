"""Wakes a thread that waits for sockets."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Bell:
    """Rung by any thread, heard by the one that polls its `fileno`. Ringing one that was closed does nothing.

    >>> import select
    >>> bell = Bell()
    >>> bell.ring(), bell.ring(), select.select([bell], [], [], 0)[0] == [bell]
    (None, None, True)
    >>> bell.hush(), select.select([bell], [], [], 0)[0]
    (None, [])
    >>> bell.close(), bell.ring()
    (None, None)
    """

    def __init__(self) -> None:
        self._ear, self._rope = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._rope, False)
        self._lock = threading.Lock()  # a closed number may be somebody else's file
        self._open = True

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._ear

    def ring(self) -> None:
        """Wake whoever waits, or the next one who does. Never waits."""
        with self._lock:
            if self._open:
                with suppress(BlockingIOError):  # rung often enough
                    os.write(self._rope, b"!")

    def hush(self) -> None:
        """It was heard."""
        with suppress(BlockingIOError):
            os.read(self._ear, 65536)

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._ear)
                os.close(self._rope)
