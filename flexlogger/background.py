"""How our processes behave beside the one that trains."""

from __future__ import annotations

import os
from contextlib import suppress

NICE = 5


def step_back() -> None:
    """Leave the processor to training: a process of a batch does not push aside the one that wakes it up."""
    os.nice(NICE)
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
