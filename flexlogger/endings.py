"""How a run ends: in order, or not. What the interpreter does not tell at its exit is noted on the way there."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NoReturn

Ending = Literal["finished", "crashed"]


def ending_of(error: BaseException | type[BaseException] | None) -> Ending:
    """How a block ended that was left by `error`: in order without one, by `sys.exit()` and `sys.exit(0)`, and where
    the generator around it was closed.

    >>> ending_of(None), ending_of(SystemExit(0)), ending_of(SystemExit(3)), ending_of(KeyboardInterrupt())
    ('finished', 'finished', 'crashed', 'crashed')
    """
    if isinstance(error, SystemExit):
        return "finished" if error.code in (None, 0) else "crashed"
    return "finished" if error is None or isinstance(error, GeneratorExit) else "crashed"


def ending_at_exit() -> Ending:
    """How the interpreter ends, as far as it tells: by an error that nobody caught, Ctrl-C among them, or in order. At
    a prompt errors end nothing. The status of `sys.exit` is not told: see `watch_exit`."""
    if hasattr(sys, "ps1"):
        return "finished"
    in_flight = sys.exc_info()[1]  # of a child of multiprocessing, whose finalizers run on its way out
    return ending_of(in_flight or getattr(sys, "last_value", None))


def watch_exit(failing: Callable[[], object]) -> None:
    """Call `failing` where the main thread is about to leave with a status that is not 0. What `sys.exit` was goes on
    being called; a `SystemExit` that is raised by hand is not seen."""
    real = sys.exit
    if getattr(real, "flexlogger", False):
        return

    def leave(status: object = None, /) -> NoReturn:
        if status not in (None, 0) and threading.current_thread() is threading.main_thread():
            failing()
        real(status)  # type: ignore[arg-type]  # as it came

    leave.flexlogger = True  # type: ignore[attr-defined]  # how we know it again
    sys.exit = leave


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, which so is done whole. It interrupts the main thread only."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:  # None: not Python's to put back
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
