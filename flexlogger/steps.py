"""What counts as a step."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from flexlogger.errors import ValueRefusedError
from flexlogger.records import Step

_LIMIT = 2**63


def checked_step(step: Any) -> Step:
    """Return a step as it travels, an int or a finite float; raise ValueRefusedError for anything else.

    >>> checked_step(3), checked_step(0.5)
    (3, 0.5)
    >>> checked_step(True)
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: log: step: expected a finite int or float, but got True
    """
    if step.__class__ is int or (isinstance(step, Integral) and not isinstance(step, bool)):
        if -_LIMIT <= int(step) < _LIMIT:
            return int(step)
    elif isinstance(step, float) and math.isfinite(step):
        return float(step)  # numpy's float64 is a float that JSON does not know
    raise ValueRefusedError(f"log: step: expected a finite int or float, but got {step!r:.100}")
