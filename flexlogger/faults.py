"""Faults of our own that must not reach training: reported once per place, kept for tests to re-raise."""

from __future__ import annotations

import logging

log = logging.getLogger("flexlogger")

seen: list[BaseException] = []
"""Unexpected errors swallowed so far, newest last, at most 100. A test suite fails where this is not empty."""
_places: set[str] = set()


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
