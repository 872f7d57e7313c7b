"""Who waits until a receiver has what is in a folder, or shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from flexlogger.answer import Answer
from flexlogger.mirror.parts import State


class Asked(msgspec.Struct):
    """Somebody waits until the receiver has all of `state`, and with `shown` until it shows it."""

    number: int
    state: State
    shown: bool
    done: Answer
    sent: bool = False


class Waiting:
    """Those who wait. `add` may be called by any thread, the rest by one."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._over = False

    def add(self, state: State, shown: bool) -> Answer:
        """Somebody waits from now on, until the answer is set."""
        with self._lock:
            asked = Asked(next(self._numbers), state, shown, Answer())
            self._asked.append(asked)
            if self._over:
                asked.done.give_up()
        return asked.done

    def give_up(self) -> None:
        """Nothing is sent any more: nobody waits any longer."""
        with self._lock:
            self._over = True
            for asked in self._asked:
                asked.done.give_up()

    def start_over(self) -> None:
        """What was asked over an old connection has to be asked again."""
        for asked in self._all():
            asked.sent = False

    def settle(self, has: Callable[[State], bool]) -> None:
        """Tell those who wait only for what is there."""
        for asked in self._all():
            if not asked.shown and has(asked.state):
                self._tell(asked)

    def to_show(self, has: Callable[[State], bool]) -> Iterator[Asked]:
        """What may be asked for now: all of it is there."""
        return (asked for asked in self._all() if asked.shown and not asked.sent and has(asked.state))

    def shown(self, number: int) -> None:
        """One question was answered."""
        for asked in self._all():
            if asked.number == number:
                self._tell(asked)

    def _all(self) -> list[Asked]:
        with self._lock:
            return list(self._asked)

    def _tell(self, asked: Asked) -> None:
        with self._lock:
            self._asked.remove(asked)
        asked.done.set()
