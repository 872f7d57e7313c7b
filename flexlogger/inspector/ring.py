"""The shared memory between a program and a process it feeds: room is taken in order and given back in order."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque

from flexlogger.inspector.wire import aligned

# Pages are there before training touches them: the first copy into a page that is not costs as much as the copy.
_POPULATED = getattr(mmap, "MAP_POPULATE", 0)


class Ring:
    """`size` bytes that another process can map through `fd`. They have no name, so nothing is left behind however the
    processes end, and /dev/shm (64 MB in a container) does not bound them.

    >>> ring = Ring(256)
    >>> ring.reserve(100), ring.reserve(100), ring.reserve(1)
    (0, 128, None)
    >>> ring.release(1)
    >>> ring.reserve(1)
    0
    >>> ring.close()
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.fd = _anonymous_file()
        os.ftruncate(self.fd, size)
        self.memory = mmap.mmap(self.fd, size, flags=mmap.MAP_SHARED | _POPULATED)
        self._taken: deque[tuple[int, int]] = deque()  # first byte and the one behind the last, oldest first

    @property
    def waiting(self) -> int:
        """How many places are taken."""
        return len(self._taken)

    def reserve(self, size: int) -> int | None:
        """Take `size` bytes in one piece; return where they begin, or None where there is no such room now."""
        size = aligned(size)
        begin = self._room(size)
        if begin is not None:
            self._taken.append((begin, begin + size))
        return begin

    def _room(self, size: int) -> int | None:
        if not self._taken:
            return 0 if size <= self.size else None
        tail, head = self._taken[0][0], self._taken[-1][1]
        if head <= tail:  # it has gone round
            return head if head + size <= tail else None
        if head + size <= self.size:
            return head
        return 0 if size <= tail else None

    def withdraw(self) -> None:
        """Give back the place that was taken last."""
        self._taken.pop()

    def release(self, count: int) -> None:
        """Give back the `count` oldest places."""
        for _ in range(count):
            self._taken.popleft()

    def close(self) -> None:
        """Let go of the memory as soon as no array looks into it any more."""
        os.close(self.fd)
        self._taken.clear()


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("flexlogger-inspector")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
