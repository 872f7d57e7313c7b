"""Faults of our own that must not reach training: reported once per place, kept for tests to re-raise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("flexlogger")

seen: list[BaseException] = []
"""Unexpected errors swallowed so far, newest last, at most 100. A test suite fails where this is not empty."""
_places: set[str] = set()


class Once:
    """Warns of each thing once, whichever of several threads finds it first. What stands before " (" says what it is;
    what is in brackets may differ.

    >>> said = []
    >>> warn = Once(said.append)
    >>> warn("a.jsonl cannot be read (no such file)"), warn("a.jsonl cannot be read (it is a folder)")
    (None, None)
    >>> said
    ['a.jsonl cannot be read (no such file)']
    """

    def __init__(self, tell: Callable[[str], None] = log.warning) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, message: str) -> None:
        what = message.partition(" (")[0]
        with self._lock:
            if what in self._told:
                return
            self._told.add(what)
        self._tell(message)


def swallow(place: str, error: BaseException) -> None:
    """Log an unexpected error with its traceback, once per place; training goes on."""
    if len(seen) < 100:
        seen.append(error)
    if place not in _places:
        _places.add(place)
        log.error("flexlogger: %s failed; training goes on, later failures here stay silent", place, exc_info=error)


def forget() -> None:
    """Forget what was swallowed (between tests)."""
    seen.clear()
    _places.clear()
