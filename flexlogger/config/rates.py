"""How often a view is given a value, as a declaration says it."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_UNITS: dict[str, tuple[Literal["steps", "seconds"], float]] = {
    **dict.fromkeys(("step", "steps"), ("steps", 1.0)),
    **dict.fromkeys(("s", "second", "seconds"), ("seconds", 1.0)),
    **dict.fromkeys(("min", "minute", "minutes"), ("seconds", 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), ("seconds", 3600.0)),
}


class Every(NamedTuple):
    """How far apart values are, in steps or in seconds."""

    amount: float
    unit: Literal["steps", "seconds"]


def read_every(text: str) -> Every | None:
    """Read what stands under `every`; None where it means nothing.

    >>> read_every("10 steps"), read_every("2 min"), read_every("10")
    (Every(amount=10.0, unit='steps'), Every(amount=120.0, unit='seconds'), None)
    """
    found = _EVERY.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS or not float(found[1]):
        return None
    unit, size = _UNITS[found[2]]
    return Every(float(found[1]) * size, unit)
