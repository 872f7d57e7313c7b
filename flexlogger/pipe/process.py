"""The process that runs a trainer's views, looked after: started again where it dies, ended where the run ends."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.answer import Answer
from flexlogger.net.bell import Bell
from flexlogger.pipe import words
from flexlogger.pipe.words import Ask, Drop, Fault, Health, Lines, Order, Over, Shown, Told

COMMAND = ("-P", "-m", "flexlogger.pipe.child")
BACK_OFF_S = (0.5, 30.0)
"""First and longest pause before a process that died is started again."""
HANGS_S = 30.0
"""A process that has said nothing for so long is ended, and started again."""
END_S = 1.0
"""How long a process whose views have closed may take to end."""
WELL: dict[str, Any] = {
    "ok": True,
    "failures": 0,
    "outages": 0,
    "away_s": 0.0,
    "error": "",
    "flushes": 0,
    "unseen": 0,
    "damaged": 0,
    "behind": False,
}


class ViewError(Exception):
    """An unexpected error in the views' process, with its traceback there."""


class ViewsProcess:
    """Looks after one process, in a thread of its own; its views are the sinks of the order, by number.

    The process ends with its last view. One that dies is started again after a pause that doubles, told once, and
    counted; it draws everything from the log.
    """

    def __init__(self, order: Order, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.log_end = 0
        """Bytes of the trainer's log that are on disk."""
        self.restarts = 0
        self._order = order
        self._clock = clock
        self._left = set(range(len(order.sinks)))
        self._health: dict[int, dict[str, Any]] = {}
        self._problem = ""
        self._numbers = count()
        self._asked: dict[int, tuple[Ask, Answer]] = {}
        self._to_say: list[msgspec.Struct] = []
        self._lock = threading.Lock()
        self._bell = Bell()
        self._child: subprocess.Popen[bytes] | None = None
        self._end_by = 0.0
        self._told = False
        self._down_since = 0.0
        self._outages = 0
        self._away_s = 0.0
        self._thread = threading.Thread(target=self._run, name="flexlogger-views", daemon=True)
        self._thread.start()
        _all.add(self)

    # ---- called by the views

    def ask(self, index: int) -> Answer:
        """Ask one view to show everything; what is returned tells when it does."""
        asked, done = Ask(next(self._numbers), index, self.log_end), Answer()
        with self._lock:
            if index not in self._left:
                done.give_up()
                return done
            self._asked[asked.number] = asked, done
            self._to_say.append(asked)
        self._bell.ring()
        return done

    def drop(self, index: int, seconds: float) -> None:
        """Let go of one view, which gets `seconds` to end; with the last one the process ends. Never waits."""
        with self._lock:
            if index not in self._left:
                return
            self._left.discard(index)
            self._end_by = self._clock() + seconds + END_S
            given_up = [number for number, (asked, _) in self._asked.items() if asked.view == index]
            for number in given_up:
                self._asked.pop(number)[1].give_up()
            self._to_say += [Drop(index, seconds)] if self._left else [Drop(index, seconds), Over()]
        self._bell.ring()

    def join(self, timeout: float) -> None:
        """Where the last view is gone, wait for the process to end, then end it."""
        if not self._left and not self.runs_in(threading.current_thread()):
            self._thread.join(timeout + END_S)

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is our own."""
        return thread is self._thread

    def status(self, index: int) -> dict[str, Any]:
        """Health of one view."""
        status = {**WELL, **self._health.get(index, {}), "restarts": self.restarts}
        status["outages"] += self._outages
        status["away_s"] += round(self._away_s, 1)
        if self._problem:
            status |= {"ok": False, "failures": max(1, status["failures"]), "error": self._problem}
        return status

    # ---- the thread

    def _run(self) -> None:
        pause = BACK_OFF_S[0]
        while self._left:
            started = self._clock()
            try:
                self._serve(self._start())
            except OSError as error:
                self._failed(f"cannot be run ({error.strerror or error})")
            except Exception as error:
                faults.swallow("looking after the views' process", error)
                self._failed(f"is not understood ({type(error).__name__})")
            self._end()
            if self._clock() - started > BACK_OFF_S[1]:
                pause = BACK_OFF_S[0]
            self._rest(pause)
            pause = min(2 * pause, BACK_OFF_S[1])
        self._bell.close()

    def _rest(self, pause: float) -> None:
        until = self._clock() + pause
        while self._left and (left := until - self._clock()) > 0:
            self._wait(left)
        self.restarts += bool(self._left)

    def _wait(self, seconds: float, *others: tuple[int, int]) -> dict[int, int]:
        poller = select.poll()  # select() fails past 1,024 open files
        for source, events in ((self._bell.fileno(), select.POLLIN), *others):
            poller.register(source, events)
        ready = dict(poller.poll(1000 * seconds))
        if self._bell.fileno() in ready:
            self._bell.hush()
        return ready

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        self._child = subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the trainer's, and its death is not ours
        )
        return self._child

    def _serve(self, child: subprocess.Popen[bytes]) -> None:
        """Speak with the process until it ends."""
        assert child.stdin is not None
        assert child.stdout is not None
        into, out = child.stdin.fileno(), child.stdout.fileno()
        os.set_blocking(into, False)
        lines, heard_at = Lines(), self._clock()
        unsaid = self._opening()
        while self._clock() - heard_at < HANGS_S and (self._left or self._clock() < self._end_by):
            unsaid = _say(into, unsaid + self._take())
            ready = self._wait(0.2, (out, select.POLLIN), *([(into, select.POLLOUT)] if unsaid else []))
            if out not in ready:
                continue
            content = os.read(out, 65536)
            if not content:
                return
            heard_at = self._clock()
            for line in lines.feed(content):
                self._hear(words.decode_said(line))

    def _opening(self) -> bytes:
        """What a process is told first: the order, what is gone of it, what somebody waits for."""
        with self._lock:
            gone = set(range(len(self._order.sinks))) - self._left
            asked = [asked for asked, _ in self._asked.values()]
            self._to_say = [Over()] if not self._left else []
        return b"".join(map(words.line, [self._order, *(Drop(index, 0.0) for index in gone), *asked]))

    def _take(self) -> bytes:
        with self._lock:
            to_say, self._to_say = self._to_say, []
        return b"".join(map(words.line, to_say))

    def _hear(self, said: words.Said) -> None:
        if isinstance(said, Shown):
            with self._lock:
                asked = self._asked.pop(said.number, None)
            if asked is not None:
                asked[1].set()
        elif isinstance(said, Health):
            self._health |= said.views
            self._well_again()
        elif isinstance(said, Told):
            faults.log.log(said.level, "%s", said.text)
        elif isinstance(said, Fault):
            faults.swallow(f"the views' process: {said.place}", ViewError(said.text))

    def _end(self) -> None:
        """Let go of a process; it has ended, or hangs, or is told no more."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if self._left:
            self._failed(_how_it_ended(child.returncode))

    # ---- what is told

    def _failed(self, how: str) -> None:
        if not self._problem:
            self._down_since = self._clock()
        self._problem = f"the process that runs the views {how}"
        if not self._told:
            self._told = True
            faults.log.warning(
                "flexlogger: %s; training goes on and nothing is lost: it is started again, and draws everything from "
                "the log",
                self._problem,
            )

    def _well_again(self) -> None:
        if self._problem:
            self._problem = ""
            self._outages += 1
            self._away_s += self._clock() - self._down_since

    # ---- fork

    def forget(self) -> None:
        """In a forked child: our ends of the pipes are the trainer's, whose death has to show. Their numbers stay
        taken, so that whoever closes the files closes nobody else's."""
        child = self._child
        if child is None:
            return
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError, ValueError):
                    os.dup2(nothing, pipe.fileno(), inheritable=False)
        os.close(nothing)


def _say(into: int, content: bytes) -> bytes:
    """Write what the pipe takes now; return the rest."""
    try:
        return content[os.write(into, content) :] if content else content
    except BlockingIOError:
        return content
    except BrokenPipeError:  # it has ended, as its other end will tell
        return b""


def _how_it_ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


_all: weakref.WeakSet[ViewsProcess] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for process in list(_all):
        process.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
