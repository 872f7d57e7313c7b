"""How our threads sleep: as long as nothing wakes them, and without the interpreter."""

from __future__ import annotations

import threading
from contextlib import suppress


class Alarm:
    """Any thread may end the sleep of the one that sleeps here. Rung before it falls asleep, it does not fall asleep.

    A lock and no `threading.Event`, which runs a hundred lines of Python for each sleep: between two steps of a
    training, where caches are cold, they keep the interpreter from it for a tenth of a millisecond.

    >>> alarm = Alarm()
    >>> alarm.ring(), alarm.ring()
    (None, None)
    >>> alarm.sleep(60.0), alarm.sleep(0.001)
    (True, False)
    """

    def __init__(self) -> None:
        self._rung = threading.Lock()
        self._rung.acquire()

    def ring(self) -> None:
        """Wake whoever sleeps, or else the next one who would."""
        with suppress(RuntimeError):  # rung already
            self._rung.release()

    def sleep(self, seconds: float) -> bool:
        """Sleep for at most `seconds`; True where it was rung."""
        return self._rung.acquire(timeout=seconds)
