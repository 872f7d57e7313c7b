"""The process that runs a trainer's views: `python -m flexlogger.pipe.child`, told by its standard input what to draw.

It reads the run's folder. When the trainer dies, it shows what is left in the log, marks the run as crashed, and ends.
"""

from __future__ import annotations

import logging
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from flexlogger import faults
from flexlogger.answer import Answer
from flexlogger.background import step_back
from flexlogger.config.model import Dashboard, SinkConfig
from flexlogger.pipe import words
from flexlogger.pipe.words import Ask, Drop, Fault, Health, Lines, Order, Over, Shown, Told
from flexlogger.runs.claims import Claim
from flexlogger.runs.processes import Process, is_gone
from flexlogger.runs.segment import SegmentReader
from flexlogger.runs.tail import Tail
from flexlogger.sinks.obituary import Obituary
from flexlogger.sinks.ranks import AcrossRanks
from flexlogger.sinks.view import View, nobody_waits
from flexlogger.views import Others, Views

PIECES = 32
"""Read of the log before somebody is listened to: one that grows as fast as it is read never ends."""
LOOK_S = 0.1
"""How often the log is looked at …"""
ASKED_S = 0.01
"""… and how often while somebody waits for it."""
WATCH_S = 1.0
"""How often it is looked whether the trainer lives and still owns the run, and how often health is told."""
LAST_S = 5.0
"""How long the dashboards of a trainer that died are waited for."""
GONE_S = 2.0
"""How long after the end of our input the trainer may take to be gone."""

Say = Callable[[msgspec.Struct], None]


class OwnLog:
    """The trainer's own segment, handed to all views as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = SegmentReader(path)

    @property
    def offset(self) -> int:
        """Bytes that were read."""
        return self._reader.offset

    def read_on(self, views: Sequence[View], most: float = math.inf) -> bool:
        """Hand over what is new, in at most `most` pieces; True where there may be more. The trainer makes the file
        with its first record."""
        try:
            if self.path.stat().st_size < self._reader.offset:  # deleted, and made again by the trainer
                self._reader = SegmentReader(self.path)
            while most > 0 and (items := self._reader.read()):
                most -= 1
                for view in views:
                    view.offer(items, self.path, self._reader.offset)
        except OSError:
            return False  # not there yet, or unreadable for now
        return most <= 0


class Child:
    """Runs the views of an order. `say` is how it answers."""

    def __init__(self, order: Order, say: Say) -> None:
        self._order = order
        self._say = say
        self._folder = Path(order.folder)
        self._log = OwnLog(Path(order.log))
        self._tell = faults.Once()
        self._obituary = Obituary(self._folder, order.trainer)
        self._last_word = View(self._obituary, "card", tail=self._tail("first"))
        self._views: dict[int, View] = dict(enumerate(self._open()))
        self._asked: list[tuple[Ask, Answer | None]] = []
        self._more = False
        self._watch_at = 0.0
        self._well: list[bool] = []

    def _open(self) -> list[View]:
        order = self._order
        sinks = tuple(SinkConfig(type, opts) for type, opts in order.sinks)
        views = Views(Dashboard((), (), server=order.server, port=order.port, token=order.token, sinks=sinks))
        opened: list[View] = []
        for target in views.targets:
            stage = AcrossRanks(order.world) if order.ranks == "all" else None
            others = Others(self._tail(cast(Literal["first", "all"], order.ranks)), stage)
            status = {"views": {view.name: view for view in opened}}
            place = (self._folder, order.env, order.uid)
            opened.append(views.open(target, *place, others, lambda status=status: status, nobody_waits))  # type: ignore[misc]
        return opened

    def _tail(self, ranks: Literal["first", "all"]) -> Tail:
        return Tail(self._folder, self._log.path, ranks, resume=self._order.resume, tell=self._tell)

    # ---- while the trainer lives

    def step(self, heard: Sequence[bytes]) -> bool:
        """Do what there is to do; False once the trainer says that it is done."""
        for line in heard:
            said = words.decode_heard(line)
            if isinstance(said, Ask):
                self._asked.append((said, None))
            elif isinstance(said, Drop):
                self._drop(said)
            elif isinstance(said, Over):
                self._last_word.stop()
                return False
        self._more = self._log.read_on([self._last_word, *self._views.values()], PIECES)
        self._asked = [(ask, answer) for ask, answer in map(self._on, self._asked) if not self._answered(ask, answer)]
        return True

    def _on(self, asked: tuple[Ask, Answer | None]) -> tuple[Ask, Answer | None]:
        ask, answer = asked
        view = self._views.get(ask.view)
        if answer is None and view is not None and self._log.offset >= ask.end:
            answer = view.ask()
        return ask, answer

    def _answered(self, ask: Ask, answer: Answer | None) -> bool:
        if answer is None or not answer.wait(0.0):  # one that was given up is the trainer's to know of
            return ask.view not in self._views
        self._say(Shown(ask.number))
        return True

    def _drop(self, said: Drop) -> None:
        view = self._views.pop(said.view, None)
        if view is not None and said.seconds > 0:
            view.close(said.seconds)
        elif view is not None:
            view.stop()
        if view is not None:
            self._say(Health({said.view: view.status()}))

    @property
    def patience(self) -> float:
        """Seconds until the next step is due."""
        return 0.0 if self._more else ASKED_S if self._asked else LOOK_S

    def watch(self, now: float) -> bool:
        """Once a second: tell how the views are; False where the trainer is dead."""
        health = {index: view.status() for index, view in self._views.items()}
        due = now >= self._watch_at
        if due or [one["ok"] for one in health.values()] != self._well:
            self._well = [one["ok"] for one in health.values()]
            self._say(Health(health))
        if not due:
            return True
        self._watch_at = now + WATCH_S
        if self._is_lost():
            self._stop()
        return not is_gone(self._order.trainer)

    def _is_lost(self) -> bool:
        """True where another process took the run over while the trainer could not beat: it draws, we do not."""
        holder = Claim(Path(self._order.claims[0]), "").holder() if self._order.claims else None
        if holder is None:
            return False
        return Process(holder.host, holder.boot, holder.pid, holder.pid_start) != self._order.trainer

    def _stop(self) -> None:
        for view in self._views.values():
            view.stop()

    # ---- when it is dead

    def outlive(self) -> None:
        """Show what is left and mark the run as crashed, unless somebody else has taken it over."""
        claims = [Claim(Path(path), self._order.run) for path in self._order.claims]
        if self._is_dead() and all(claim.take(time.time()) for claim in claims[:1]):
            if not all(claim.take(time.time()) for claim in claims[1:]):
                self._stop()  # another run draws there now
            self._show_the_rest()
            self._obituary.publish()
        self._stop()
        for claim in claims:
            claim.release()

    def _is_dead(self) -> bool:
        deadline = time.monotonic() + GONE_S
        while not (gone := is_gone(self._order.trainer)) and time.monotonic() < deadline:
            time.sleep(ASKED_S)
        return gone

    def _show_the_rest(self) -> None:
        views = [self._last_word, *self._views.values()]
        self._log.read_on(views)
        for view in views:
            view.ask()
        deadline = time.monotonic() + LAST_S
        for view in views:
            view.close(max(0.0, deadline - time.monotonic()))


def main() -> None:
    """Draw until the trainer is done, or dead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's
    step_back()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not look like an answer
    say = _speaker(answers)
    _log_to(say)
    lines = Lines()
    first, *heard = _first_lines(lines)
    child = Child(words.decode_order(first), say)
    if not _serve(child, lines, heard):
        child.outlive()


def _first_lines(lines: Lines) -> list[bytes]:
    heard: list[bytes] = []
    while not heard:
        content = os.read(0, 65536)
        if not content:
            sys.exit("flexlogger.pipe.child: expected an order on standard input; this is started by pipe: process")
        heard = lines.feed(content)
    return heard


def _serve(child: Child, lines: Lines, heard: list[bytes]) -> bool:
    """Return True once the trainer says that it is done, False once it is dead."""
    while child.step(heard):
        if not child.watch(time.monotonic()):
            return False
        heard = []
        if select.select([0], [], [], child.patience)[0]:
            content = os.read(0, 65536)
            if not content:
                return False
            heard = lines.feed(content)
    return True


def _speaker(answers: int) -> Say:
    lock = threading.Lock()

    def say(what: msgspec.Struct) -> None:
        try:
            with lock:
                os.write(answers, words.line(what))
        except OSError:
            return  # nobody listens any more

    return say


def _log_to(say: Say) -> None:
    """What the views have to say is said in the trainer's log."""

    class ToTrainer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                text = logging.Formatter().formatException(record.exc_info)
                say(Fault(record.getMessage().removeprefix("flexlogger: "), text))
            else:
                say(Told(record.levelno, record.getMessage()))

    faults.log.addHandler(ToTrainer())
    faults.log.setLevel(logging.INFO)
    faults.log.propagate = False


if __name__ == "__main__":
    main()
