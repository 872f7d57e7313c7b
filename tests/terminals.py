"""Programs on a real pseudo-terminal, whose screen an emulator keeps."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pyte


class Terminal:
    """Runs Python code on a terminal of its own. The code may call `pause()`, which returns at the next `go()`.

    `said` is every byte the program wrote.
    """

    def __init__(self, code: str, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self.said = b""
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self._gate, self._go = os.pipe()
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.set_inheritable(self._gate, True)
            os.environ.update({"TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environment})
            start = f"import os, sys\ndef pause():\n    os.read({self._gate}, 1)\npause()\n"
            os.execv(sys.executable, [sys.executable, "-c", start + code])
        self.resize(columns, lines)
        self.go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        for descriptor in (self._fd, self._gate, self._go):
            os.close(descriptor)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def go(self) -> None:
        """Let the program go on from where it pauses."""
        os.write(self._go, b".")

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def kill(self, signum: int) -> None:
        os.kill(self.pid, signum)

    @property
    def display(self) -> list[str]:
        """The lines on the screen."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def everything(self) -> list[str]:
        """What scrolled off, and the lines on the screen without the empty ones at its end."""
        width = self.screen.columns
        gone = ["".join(line[x].data for x in range(width)).rstrip() for line in self.screen.history.top]
        lines = gone + self.display
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def until(self, condition: Callable[[list[str]], object], timeout: float = 30.0) -> list[str]:
        """Wait until the screen is as it should be, and return its lines."""
        deadline = time.monotonic() + timeout
        while not condition(self.display):
            assert self._read(deadline), "\n".join(["the screen never came to that:", *self.display])
        return self.display

    def finish(self, timeout: float = 30.0) -> int:
        """Wait until the program has ended; return its exit status, negative for a signal."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, "\n".join(["nothing came any more; the screen:", *self.display])
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.said += data
        self._stream.feed(data)
        return bool(data)
