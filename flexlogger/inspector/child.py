"""The process that runs the callbacks: `python -m flexlogger.inspector.child MEMORY REPORTS`, started by `process`.

Its standard input is a pipe from the parent: a line of settings, the pickled callbacks, and a note for each tensor. The
end of the input is the end of the work. `MEMORY` and `REPORTS` are file descriptors: the shared memory, and a pipe that
takes lines of JSON back: a number of tensors taken out of the memory, or a `Report`.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from flexlogger.background import step_back
from flexlogger.inspector import wire
from flexlogger.inspector.callbacks import load

STARTUP_S = 60.0
"""Loading the callbacks may take so long: they import what they like."""
PAUSE_S = (0.001, 0.02)
"""How long it sleeps between looks for notes: the longer, the longer none came. Waking up a process that waits in the
pipe would cost the sender more than a small tensor."""


class Settings(msgspec.Struct, frozen=True):
    """What the first line says. `timeout` is how many seconds one call of a callback may take, and all that is left to
    do once the input has ended; `pickled` is how many bytes of callbacks follow."""

    number: int
    parent: int
    timeout: float
    arrays: bool
    pickled: int


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told besides counts: that the callbacks are loaded, or which one failed, with its traceback where that is
    the first time."""

    ready: bool = False
    failed: str = ""
    trace: str = ""


class Patience:
    """Ends this process where something takes too long, also where it never comes back to Python."""

    def __init__(self) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def begin(self, seconds: float) -> None:
        """Die `seconds` from now, unless something else begins before."""
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def end(self) -> None:
        """Wait as long as it takes."""
        signal.setitimer(signal.ITIMER_REAL, 0)


class Input(Protocol):
    """Where notes come from."""

    def fileno(self) -> int: ...
    def read(self, size: int, /) -> bytes | None: ...


class Notes:
    """The notes that come in, until the input ends or the process `parent` is gone: one that it has forked may hold the
    pipe open after it."""

    def __init__(self, source: Input, parent: int) -> None:
        self._source, self._parent = source, parent
        self._poll = select.poll()
        self._poll.register(source.fileno(), select.POLLIN)

    @property
    def ended(self) -> bool:
        """Whether no more come than have come already."""
        return os.getppid() != self._parent or any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def __iter__(self) -> Iterator[bytes]:
        pending, pause = b"", PAUSE_S[0]
        while True:
            if not self._poll.poll(0):
                if self.ended:
                    return
                time.sleep(pause)
                pause = min(2 * pause, PAUSE_S[1])
                continue
            read = self._source.read(65536)
            if not read:
                return
            pending, pause = pending + read, PAUSE_S[0]
            whole = len(pending) // wire.NOTE.size * wire.NOTE.size
            for at in range(0, whole, wire.NOTE.size):
                yield pending[at : at + wire.NOTE.size]
            pending = pending[whole:]


class Work:
    """Runs the callbacks, one call at a time. `tell` is given what the parent is to know."""

    def __init__(self, settings: Settings, pickled: bytes, memory: memoryview, tell: Callable[[Any], None]) -> None:
        self._settings, self._memory, self._tell = settings, memory, tell
        self._patience = Patience()
        self._told: set[str] = set()
        self._deadline: float | None = None
        self._patience.begin(STARTUP_S + settings.timeout)
        self._onrun, self._onclosing = load(pickled)
        if not settings.arrays:
            import torch

            torch.set_num_threads(1)
        self._patience.end()

    def serve(self, notes: Notes) -> None:
        """Take one tensor after the other out of the memory and hand it to the callback; then close.

        Once no more come, half of the time is for those that wait, and the other half for closing.
        """
        for note in notes:
            if self._deadline is None and notes.ended:
                self._hurry()
            if self._deadline is not None and time.monotonic() > self._deadline:
                break
            self._take(note)
        self._hurry()
        if self._onclosing is not None:
            self._call("callback_onclosing", self._onclosing)
        self._patience.end()

    def _hurry(self) -> None:
        """From now on there are `timeout` seconds in all."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._settings.timeout / 2
            self._patience.begin(self._settings.timeout)

    def _take(self, note: bytes) -> None:
        offset, length, step = wire.NOTE.unpack(note)
        head, numbers = wire.read(self._memory, offset, length)
        self._tell(1)
        tensor = wire.as_array(head, numbers) if self._settings.arrays else wire.as_tensor(head, numbers)
        arguments = (self._settings.number, head.key, head.internal_message, str(step), tensor)
        self._call("callback_onrun", self._onrun, *arguments)

    def _call(self, what: str, callback: Callable[..., object], *arguments: object) -> None:
        if self._deadline is None:
            self._patience.begin(self._settings.timeout)
        try:
            callback(*arguments)
        except BaseException:  # also SystemExit: a callback has no say in how long the process lives
            trace = "" if what in self._told else traceback.format_exc()
            self._told.add(what)
            self._tell(Report(failed=what, trace=trace))
        if self._deadline is None:
            self._patience.end()


def main() -> int:
    """Work until the input ends or the parent is gone; return 1 where the callbacks cannot be loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory_fd, reports = map(int, sys.argv[1:])
    step_back()
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)  # what a callback reads from its standard input is nothing of ours
    memory = memoryview(mmap.mmap(memory_fd, 0, prot=mmap.PROT_READ))

    def tell(what: Any) -> None:
        with suppress(BrokenPipeError):  # the parent is gone; the end of the input says so too
            os.write(reports, msgspec.json.encode(what) + b"\n")

    settings = msgspec.json.decode(_line(source), type=Settings)
    try:
        work = Work(settings, _exactly(source, settings.pickled), memory, tell)
    except BaseException:
        tell(Report(failed="loading", trace=traceback.format_exc()))
        return 1
    tell(Report(ready=True))
    work.serve(Notes(source, settings.parent))
    return 0


def _line(source: Input) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += _exactly(source, 1)
    return line


def _exactly(source: Input, size: int) -> bytes:
    parts: list[bytes] = []
    while size and (part := source.read(min(size, 2**20))):
        parts.append(part)
        size -= len(part)
    if size:
        raise EOFError("the parent ended before it had sent the callbacks")
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
