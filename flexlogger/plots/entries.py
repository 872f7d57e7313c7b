"""The entries of meters that hold several numbers, however these were logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from flexlogger.plots.window import Array, Feed, Window


class Entries(msgspec.Struct, frozen=True):
    """The entries of one meter: their names, which are numbers where nobody has named them, and their values."""

    name: str
    feed: Feed
    parts: Sequence[str]
    values: Any


def entries(window: Window) -> list[Entries]:
    """Return the meters with entries: a vector, or scalars that are its parts, which is how a short one is logged.

    Scalars stay single bars where one of the meters is no more than a scalar.
    """
    rows = [
        Entries(name, feed, [str(index) for index in range(np.size(latest.value))], latest.value)
        for name, feed, latest in window.values("vector")
    ]
    parts = [(feed, {s[1:]: v.value for s, v in feed.latest.items() if v.kind == "scalar"}) for feed in window.feeds]
    filled = [(feed, values) for feed, values in parts if values]
    if not rows and any("" in values for _, values in filled):
        return []
    return rows + [
        Entries(f.meter.name, f, list(values), list(values.values())) for f, values in filled if "" not in values
    ]


def counted_out(parts: list[str]) -> list[str]:
    """Return the names of entries unless they only count them."""
    return [] if parts == [str(index) for index in range(len(parts))] else parts


def part(feed: Feed, suffix: str) -> Array | None:
    """Return the array that a meter yields under a suffix, None where there is none; a short vector was logged as
    scalars, its entries."""
    if suffix in feed.latest:
        return np.asarray(feed.latest[suffix].value)
    scalars = [v.value for s, v in feed.latest.items() if v.kind == "scalar" and s.startswith(f"{suffix}.")]
    return np.array(scalars, np.float64) if scalars else None
