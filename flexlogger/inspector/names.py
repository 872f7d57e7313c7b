"""The words of the inspector that a config may hold. Knows no torch, and nothing of ours."""

from __future__ import annotations

SOURCES = ("outputs", "grad_out", "weights")
"""What can be looked at: what a layer returns, the gradient that comes back for it, its parameter called weight."""
VIEWS = ("plot2D", "histogram", "pca")
"""What DataRecorder draws; each is the method `tensor_<view>`."""
CODECS = ("h264", "vp8")
SMALLEST, LARGEST = 64, 4096
"""The sides of a frame in pixels."""
LIMITS = {"fps": (0.01, 1000.0), "seconds": (0.001, 1e6), "timeout": (0.001, 1e6)}
"""Least and largest of what is a number: clocks and containers hold no more."""


def within(name: str, given: object) -> str:
    """What is wrong with a number that has LIMITS; nothing where it is well.

    >>> within("fps", 20), within("fps", 0)
    ('', 'expected a number from 0.01 to 1000, but got 0')
    """
    least, most = LIMITS[name]
    if not isinstance(given, bool) and isinstance(given, int | float) and least <= given <= most:
        return ""
    return f"expected a number from {least:g} to {most:g}, but got {given!r}"
