"""A process that runs callbacks, as the program that feeds it sees it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.errors import ValueRefusedError
from flexlogger.inspector import wire
from flexlogger.inspector.callbacks import OnClosing, OnRun, dump, wants_arrays
from flexlogger.inspector.child import STARTUP_S, Report, Settings
from flexlogger.inspector.ring import Ring

GRACE_S = 2.0
"""How much longer than its own time-out a process may take to end before it is killed."""


class Process:
    """A fresh interpreter that runs the callbacks, and the memory shared with it.

    It is no copy of this process, and does not run the user's script again. It has a session of its own, so Ctrl-C is
    for the program alone; it ends when its input does, whatever ended the program. The constructor returns once the
    callbacks are loaded over there. Raises ValueRefusedError where they cannot be, and MissingExtraError where sending
    them needs one.
    """

    def __init__(self, number: int, onrun: OnRun, onclosing: OnClosing | None, timeout: float, capacity: int) -> None:
        pickled = dump(onrun, onclosing)
        settings = Settings(number, os.getpid(), timeout, wants_arrays(onrun), len(pickled))
        self.number, self.timeout = number, timeout
        self.taken = 0
        """Tensors that it has taken out of the memory."""
        self.errors: Counter[str] = Counter()
        """How often each callback has raised."""
        self._moved = time.monotonic()
        """When it last took a tensor, or had none to take."""
        self._given_up = False
        self.ring = Ring(capacity)
        self._partial = b""
        self._ready = self._told = False
        self._reports, theirs = os.pipe()
        os.set_blocking(self._reports, False)
        try:
            self._popen = _start(self.ring.fd, theirs)
        finally:
            os.close(theirs)
        assert self._popen.stdin is not None  # it is a pipe
        self._notes = self._popen.stdin.fileno()
        self.open = True
        """Whether it is fed, as far as is known."""
        self._introduce(msgspec.json.encode(settings) + b"\n" + pickled)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, and is still fed; the first time that it has ended by itself is reported."""
        if self.open and self._popen.poll() is not None:
            self._ended_early()
        return self.open

    def status(self) -> dict[str, Any]:
        """Health in plain data."""
        if self.alive:
            self.hear()
        return {
            "alive": self.open,
            "pid": self.pid,
            "taken": self.taken,
            "waiting": self.ring.waiting,
            "errors": dict(self.errors),
        }

    # ---- sending

    def note(self, offset: int, length: int, step: int) -> bool:
        """Tell it of a tensor that is in the memory; False where it cannot be told now."""
        if self.ring.waiting == 1:  # there was none before
            self._moved = time.monotonic()
        try:
            os.write(self._notes, wire.NOTE.pack(offset, length, step))
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._popen.wait()  # nobody else could close the other end
            self._ended_early()
            return False
        return True

    def watch(self) -> None:
        """Hear it, and end it where it has tensors and takes none for longer than a callback may last: it cannot even
        end itself then."""
        self.hear()
        if self.ring.waiting and time.monotonic() - self._moved > self.timeout + GRACE_S:
            self._kill()
            self._ended_early()

    def _kill(self) -> None:
        self._given_up = True
        self._popen.kill()
        self._popen.wait()

    def hear(self) -> None:
        """Take in what it has reported; give back memory that it needs no more. Never waits."""
        try:
            while read := os.read(self._reports, 65536):
                *lines, self._partial = (self._partial + read).split(b"\n")
                for line in lines:
                    self._take_in(msgspec.json.decode(line, type=int | Report))
        except BlockingIOError:
            pass

    def _take_in(self, said: int | Report) -> None:
        if isinstance(said, int):
            self.taken += said
            self._moved = time.monotonic()
            self.ring.release(said)
            return
        self._ready |= said.ready
        if not said.failed:
            return
        if said.failed == "loading":
            raise ValueRefusedError(f"callback_onrun, callback_onclosing: cannot be loaded elsewhere:\n{said.trace}")
        self.errors[said.failed] += 1
        if said.trace:
            faults.log.warning(
                "flexlogger: %s raised; training goes on, later failures are only counted\n%s", said.failed, said.trace
            )

    # ---- beginning and end

    def _introduce(self, settings: bytes) -> None:
        try:
            with memoryview(settings) as rest:
                sent = 0
                while sent < len(rest):
                    sent += os.write(self._notes, rest[sent:])
        except BrokenPipeError:
            pass  # what it has reported says why
        os.set_blocking(self._notes, False)
        deadline = time.monotonic() + STARTUP_S
        try:
            while not self._ready and self._wait(deadline):
                self.hear()
        except ValueRefusedError:
            self._let_go()
            raise
        if not self._ready:
            self._popen.kill()
            self._popen.wait()
            self._ended_early()

    def _wait(self, deadline: float) -> bool:
        """Wait for a report; False where none comes any more, or none before `deadline`."""
        poll = select.poll()
        poll.register(self._reports, select.POLLIN)
        events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        return any(event & select.POLLIN for _, event in events)

    def end(self) -> None:
        """Send nothing more: it does what it got, and ends. Does not wait for that."""
        if self.open and not self._popen.stdin.closed:  # type: ignore[union-attr]  # it is a pipe
            self._popen.stdin.close()  # type: ignore[union-attr]  # it is a pipe

    def join(self) -> bool:
        """Wait until it has ended, after `end`; kill it where it takes too long. False where it did not end well."""
        if not self.open:
            return not self._told
        deadline = time.monotonic() + self.timeout + GRACE_S
        while self._wait(deadline):
            self.hear()
        try:
            self._popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._kill()
        if self._popen.returncode:
            self._ended_early()
            return False
        self._let_go()
        return True

    def _ended_early(self) -> None:
        if self._told:
            return
        self._told = True
        self.hear()
        lost = f"; {self.ring.waiting} tensors that it had not begun with are lost" if self.ring.waiting else ""
        what = "" if self._ready else " before it was ready"
        faults.log.warning(
            "flexlogger: the inspector's process %d %s%s%s. Training goes on; nothing more is sent to it",
            self.number,
            _reason(self._popen.returncode, self.timeout, self._given_up),
            what,
            lost,
        )
        self._let_go()

    def disown(self) -> None:
        """In a forked child: it is the parent's. Closing our copy of the pipe lets it notice when the parent ends."""
        if self.open:
            self._popen.returncode = 0  # it is not ours to wait for
            self._let_go()

    def _let_go(self) -> None:
        self.open = False
        if self._popen.returncode is None:
            self._popen.wait()
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        os.close(self._reports)
        self.ring.close()


def _start(memory: int, reports: int) -> subprocess.Popen[bytes]:
    # -P: only what this process has on its path may be imported there, in the same order
    command = [sys.executable, "-P", "-m", "flexlogger.inspector.child", str(memory), str(reports)]
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        bufsize=0,
        pass_fds=(memory, reports),
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def _reason(status: int, timeout: float, given_up: bool) -> str:
    if given_up:
        return f"did nothing for more than {timeout:g} s, as a stopped one does, and was ended"
    if status == -signal.SIGALRM:
        return f"hung: a callback did not come back within {timeout:g} s"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
