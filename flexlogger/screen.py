"""Lines that stay below everything else that is printed on a terminal: tables and bars that change in place.

Whoever prints goes on where he was: the lines are drawn below the cursor, which then returns. No mode of the terminal
is changed, so a process that is killed leaves nothing to mend.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO, cast

SHARE = 20
"""Lines that a print has erased are drawn again at once, but drawing takes at most this part of the time."""

_SAVE, _RESTORE, _DOWN = "\x1b7", "\x1b8", "\x1bD"
_CLEAR_LINE, _CLEAR_REST, _CLEAR_BELOW = "\x1b[2K", "\x1b[K", "\x1b[J"
_VERTICAL = re.compile(r"\n|\x1b\[(\d*)([AB])")


class Screen:
    """The bottom of one terminal, shared by whoever has something to show (`owner`: any object of theirs).

    While there is something to show, sys.stdout and sys.stderr are wrapped so that what is printed pushes the lines
    down; they are put back when the last owner is gone. What is printed past them (by C code, or by a handler that
    keeps an older stream) only overwrites the lines until they are drawn again.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.out = out
        self._clock = clock
        self.forget()
        _all.add(self)

    def forget(self) -> None:
        """In a forked child, nothing that is shown is ours."""
        self._lock = threading.RLock()
        self._shown: dict[object, Sequence[str]] = {}
        self._drawn = False
        self._below = 0  # lines of somebody else's below the cursor, as nested bars have them
        self._within = False  # the cursor is within a line of somebody else's
        self._again_at = 0.0

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal now."""
        try:
            size = os.get_terminal_size(self.out.fileno())
        except (OSError, ValueError):
            return 80, 24
        return size.columns or 80, size.lines or 24

    def show(self, owner: object, lines: Iterable[str]) -> None:
        """Draw an owner's lines (each at most as wide as the terminal), in place of those it had."""
        with self._lock:
            if not self._shown:
                self._wrap()
            self._shown[owner] = list(lines)
            self._draw()

    def release(self, owner: object, last: Iterable[str] = ()) -> None:
        """Take an owner's lines away; `last` is printed and stays."""
        with self._lock:
            if self._shown.pop(owner, None) is not None and not self._shown:
                self._unwrap()
            self.say(last)

    def say(self, lines: Iterable[str]) -> None:
        """Print whole lines where others print theirs."""
        text = "".join(f"{line}\n" for line in lines)
        with self._lock:
            if text:
                self._erase()
                self._put(_down(self._below) + ("\n" if self._within or self._below else "") + text)
                self._below, self._within = 0, False
            self._draw()

    def clear(self) -> None:
        """Take everything away."""
        with self._lock:
            for owner in list(self._shown):
                self.release(owner)

    # ---- what others print

    def pass_through(self, stream: TextIO, text: str) -> int:
        """Print somebody's text where he is, and the lines below it."""
        with self._lock:
            below = _lines_below(self._below, text)
            if self._drawn and below < 0:
                self._erase()
            self._below = max(below, 0)
            self._within = not text.endswith("\n") if text else self._within
            written = stream.write(text)
            if self._shown and not self._drawn and self._clock() >= self._again_at:
                stream.flush()
                self._draw()
            return written

    def _wrap(self) -> None:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Wrapped) and same_terminal(stream, self.out):
                setattr(sys, name, _Wrapped(self, stream))

    def _unwrap(self) -> None:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, _Wrapped):
                setattr(sys, name, stream.stream)

    # ---- drawing

    def _draw(self) -> None:
        lines = [line for shown in self._shown.values() for line in shown]
        room = self.size()[1] - 2 - self._below
        lines = lines[: max(room, 0)]
        if not lines:
            self._erase()
            return
        needed = self._below + len(lines) + 1  # the first is empty, for what somebody prints past us
        text = "" if self._within or self._below else _CLEAR_REST  # … who may have come down to our lines
        text += _DOWN * needed + f"\x1b[{needed}A" + _SAVE + _down(self._below) + f"\r{_DOWN}{_CLEAR_LINE}"
        text += "".join(f"\r{_DOWN}{_CLEAR_LINE}{line}" for line in lines) + _CLEAR_BELOW + _RESTORE
        started = self._clock()
        self._put(text)
        self._drawn = True
        self._again_at = self._clock() + (SHARE - 1) * (self._clock() - started)

    def _erase(self) -> None:
        if self._drawn:
            self._put(f"{_SAVE}{_down(self._below)}\r{_DOWN}{_CLEAR_BELOW}{_RESTORE}")
            self._drawn = False

    def _put(self, text: str) -> None:
        try:
            self.out.write(text)
            self.out.flush()
        except (OSError, ValueError):  # the terminal is gone: there is nobody to show anything to
            self._shown.clear()


class _Wrapped:
    """A standard stream whose text goes through a screen; in everything else it is that stream."""

    def __init__(self, screen: Screen, stream: TextIO) -> None:
        self.stream = stream
        self._screen = screen

    def write(self, text: str) -> int:
        return self._screen.pass_through(self.stream, text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __iter__(self) -> Any:
        return iter(self.stream)

    def __eq__(self, other: object) -> bool:
        """Bars that were made before are asked whether they write to the same stream as this."""
        return True if other is self or other is self.stream else NotImplemented

    def __hash__(self) -> int:
        return hash(self.stream)


def _down(lines: int) -> str:
    return f"\x1b[{lines}B" if lines else ""


def _lines_below(below: int, text: str) -> int:
    """How many lines are below the cursor once `text` is printed with `below` of them; negative: it went past them."""
    past = 0
    for found in _VERTICAL.finditer(text):
        lines = int(found[1] or 1) if found[2] else 1
        below += lines if found[2] == "A" else -lines
        if below < 0:
            past, below = -1, 0
    return past or below


def is_terminal(stream: Any) -> bool:
    """True where a stream leads to a terminal that can move its cursor."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    except (AttributeError, ValueError, OSError):
        return False


def same_terminal(one: Any, other: Any) -> bool:
    """True where two streams lead to one terminal."""
    try:
        return is_terminal(one) and os.ttyname(one.fileno()) == os.ttyname(other.fileno())
    except (AttributeError, ValueError, OSError):
        return False


_all: weakref.WeakSet[Screen] = weakref.WeakSet()
_screens: dict[str, Screen] = {}


@atexit.register
def _clear_all() -> None:
    for each in list(_all):
        each.clear()


def _after_fork_in_child() -> None:
    for each in list(_all):
        each.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)


def screen() -> Screen | None:
    """The screen of standard error, None where that is no terminal."""
    err = sys.stderr.stream if isinstance(sys.stderr, _Wrapped) else sys.stderr
    if not is_terminal(err):
        return None
    terminal = os.ttyname(err.fileno())
    if terminal not in _screens or _screens[terminal].out is not err:
        _screens[terminal] = Screen(cast(TextIO, err))
    return _screens[terminal]
