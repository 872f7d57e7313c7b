"""The latest values where the training prints: a table that changes in place, or a line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TextIO

from flexlogger import screen
from flexlogger.records import Item
from flexlogger.sinks import faces
from flexlogger.sinks.latest import Latest
from flexlogger.sinks.pace import Pace

LINE_S = 1.0
"""Plain lines are at least so far apart."""
OTHERS_LINES = 6
"""Lines of a terminal that are left to what the training prints."""


MESSAGES = 5
"""A notebook's table keeps the newest of them."""


class TerminalSink:
    """Shows the newest scalars on standard error, or on `out`.

    On a terminal: a table below everything else that is printed, changed in place. In a notebook: a table as the
    cell's output. Elsewhere: at most one line a second, without escape codes.

    `total` is the number of steps the run will have, `epoch` that of an epoch: they tell how long it will take.
    `health` returns the pipe's status. `clock` is unix time.

    >>> import sys
    >>> from flexlogger.records import Record
    >>> sink = TerminalSink(sys.stdout)
    >>> sink.write([Record(3, 0.0, {"loss": 0.6931471})])
    >>> sink.flush()
    step 3  loss 0.69315
    """

    def __init__(
        self,
        out: TextIO | None = None,
        *,
        total: float | None = None,
        epoch: float | None = None,
        health: Callable[[], Mapping[str, Any]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._latest = Latest(Pace(total, epoch))
        self._face = _face(out, clock)
        self._health = health
        self._clock = clock

    def write(self, batch: Sequence[Item]) -> None:
        """Take in values and events."""
        self._latest.write(batch)

    def flush(self) -> None:
        """Show what is new."""
        self._face.show(self._latest, self._health() if self._health is not None else None)

    def close(self) -> None:
        """Leave the last values as they are; the terminal is the user's."""
        self._face.end(self._latest, self._health() if self._health is not None else None)


class Face(Protocol):
    """One way to show the latest values."""

    def show(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        """Show them."""

    def end(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        """Show them for the last time."""


def _face(out: TextIO | None, clock: Callable[[], float]) -> Face:
    on = screen.screen() if out is None else screen.Screen(out) if screen.is_terminal(out) else None
    if on is not None:
        return OnScreen(on, clock)
    if out is None and (shown := notebook()) is not None:
        return InNotebook(*shown, clock)
    return Lines(out, clock)


class OnScreen:
    """A table at the bottom of a terminal."""

    def __init__(self, on: screen.Screen, clock: Callable[[], float]) -> None:
        self._screen = on
        self._clock = clock
        self._colour = "NO_COLOR" not in os.environ
        on.show(self, ())  # whoever prints from now on prints above the table that is to come

    def show(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        self._say(latest)
        self._screen.show(self, self._lines(latest, status))

    def end(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        self._say(latest)
        self._screen.release(self, self._lines(latest, status) if latest.meters else ())

    def _say(self, latest: Latest) -> None:
        self._screen.say(f"! {faces.clean(message)}" for message in latest.messages())

    def _lines(self, latest: Latest, status: Mapping[str, Any] | None) -> list[str]:
        columns, lines = self._screen.size()
        room = max(lines - OTHERS_LINES, 4)
        return faces.terminal_lines(latest, status, self._clock(), columns - 1, room, self._colour)


class Lines:
    """Plain lines, for files and pipes."""

    def __init__(self, out: TextIO | None, clock: Callable[[], float]) -> None:
        self._out = out
        self._clock = clock
        self._last = float("-inf")

    def show(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        if abs(self._clock() - self._last) >= LINE_S:
            self.end(latest, status)

    def end(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        out = self._out or sys.stderr
        lines = [f"! {faces.clean(message)}" for message in latest.messages()]
        line = faces.plain_line(latest)
        if line is not None:
            lines.append(line)
        if lines and out is not None:
            self._last = self._clock()
            print(*lines, sep="\n", file=out, flush=True)


class InNotebook:
    """A table in the output of the cell that was running when the first value came."""

    def __init__(self, display: Callable[..., Any], html: Callable[[str], Any], clock: Callable[[], float]) -> None:
        self._display = display
        self._html = html
        self._clock = clock
        self._handle: Any = None
        self._messages: deque[str] = deque(maxlen=MESSAGES)

    def show(self, latest: Latest, status: Mapping[str, Any] | None) -> None:
        self._messages.extend(latest.messages())
        shown = self._html(faces.html_table(latest, status, self._clock(), list(self._messages)))
        if self._handle is None and latest.meters:
            self._handle = self._display(shown, display_id=True)
        elif self._handle is not None:
            self._handle.update(shown)

    end = show


def notebook() -> tuple[Callable[..., Any], Callable[[str], Any]] | None:
    """What shows things in the notebook that this process is the kernel of, if it is one, and what HTML is there."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import HTML, display

    return (display, HTML) if get_ipython() is not None else None
