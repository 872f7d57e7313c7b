"""What somebody waits for who asked for something to be shown."""

from __future__ import annotations

import threading


class Answer(threading.Event):
    """Set once it is shown, or never will be: somebody else draws it now, or nobody does.

    >>> shown, given_up = Answer(), Answer()
    >>> shown.set()
    >>> given_up.give_up()
    >>> shown.wait(1.0), given_up.wait(1.0), Answer().wait(0.0)
    (True, False, False)
    """

    def __init__(self) -> None:
        super().__init__()
        self._given_up = False

    def give_up(self) -> None:
        """Let nobody wait any longer."""
        self._given_up = not self.is_set()
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait `timeout` seconds at most; True where it is shown."""
        return super().wait(timeout) and not self._given_up
