"""The trainer's side: what grows in a run's folder is sent, and sent again after every interruption."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import structs

from flexlogger import faults
from flexlogger.answer import Answer
from flexlogger.errors import WireError
from flexlogger.mirror import protocol
from flexlogger.mirror.asked import Waiting
from flexlogger.mirror.parts import Part, Parts
from flexlogger.mirror.protocol import Head, message
from flexlogger.net.bell import Bell
from flexlogger.net.keys import ClientKeys
from flexlogger.net.link import Link
from flexlogger.net.sockets import BEAT_S
from flexlogger.net.tags import Message

LOOK_S = 0.2
"""How often the folder is looked at while nobody says that something was written …"""
LOOKS_S = 0.02
"""… and at most so often while somebody does; at once where somebody waits."""
WARN_S = 3.0
"""A receiver that cannot be reached for so long is worth a word."""
RETRY_S = 2.0
"""Pause after the receiver could not take something."""
ON_THE_WAY = 8 * 2**20
"""Bytes that are sent before the first of them is answered."""
GOODBYE_S = 0.2


class Sender:
    """Keeps a receiver's copy of the run in `folder` equal to it, in a thread of its own.

    Nothing is queued in memory: the folder itself is what waits while the receiver or the network is away. A part
    counts as sent once it is on the receiver's disk; a blob is there before the line that names it.
    """

    def __init__(
        self,
        folder: Path,
        project: str,
        run: str,
        where: str,
        keys: ClientKeys | None = None,
        *,
        tell: Callable[[str], object] = faults.log.warning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connected = False
        """True while the receiver answers."""
        self.problem = ""
        """Why there is no connection, where that can be told."""
        self.refusal = ""
        """Why the receiver does not take something; empty while it does."""
        self.unshown = ""
        """Why the receiver cannot show the run; empty while it can."""
        self.url = ""
        """Where the run can be looked at, as the receiver says."""
        self.stored = 0
        """Bytes of segments and blobs that the receiver has taken."""
        self.outages = 0
        """How often nobody answered for a while."""
        self._folder = folder
        self._whose = Head(project=project, run=run)
        self._where = where
        self._keys = keys
        self._tell = tell
        self._clock = clock
        self._bell = Bell()
        self._parts = Parts(folder)
        self._waiting = Waiting()
        self._on_the_way: deque[Part | None] = deque()  # in the order of their answers; None: the question at the start
        self._bytes = 0
        self._greeted = 0
        self._retry_at: float | None = None
        self._away_since = clock()
        self._away_s = 0.0
        self._told_away = False
        self._look_at = 0.0
        self._grown = False  # something was written that nobody has looked at
        self._spoke_at = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-mirror-sender", daemon=True)
        self._thread.start()

    # ---- called by others

    def wake(self) -> None:
        """Something was written."""
        if not self._grown:  # else it is looked at soon
            self._grown = True
            self._bell.ring()

    def ask(self, shown: bool = False) -> Answer:
        """Ask for all that is in the folder now to be there, with `shown` to be drawn; the answer tells when it is."""
        done = self._waiting.add(self._parts.now(), shown)
        self._look_at = 0.0
        self._bell.ring()
        return done

    def flush(self, timeout: float, shown: bool = False) -> bool:
        """Wait until the receiver has what is in the folder now; False where time ran out."""
        return self.ask(shown).wait(timeout)

    @property
    def behind(self) -> int:
        """Bytes of segments that the receiver does not have yet."""
        there = self._parts.there
        return sum(max(0, size - there.get(name, 0)) for name, size in self._parts.now().sizes.items())

    @property
    def away_s(self) -> float:
        """Seconds in all for which nobody answered."""
        return self._away_s + (0.0 if self.connected else self._clock() - self._away_since)

    def stop(self) -> None:
        """Stop sending. What is left stays in the folder. Never waits."""
        self._stopping = True
        self._bell.ring()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout)

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is the sender's own."""
        return thread is self._thread

    # ---- the thread

    def _run(self) -> None:
        link = Link(self._where, self._keys, self._bell)
        while not self._stopping:
            try:
                self._step(link)
            except WireError as error:
                self._refused(str(error))
            except OSError as error:  # our own folder
                self._refused(f"{self._folder} cannot be read ({error.strerror or error})")
            except Exception as error:
                faults.swallow("sending the run log", error)
                self._refused(f"an error of our own ({type(error).__name__})")
        self._waiting.give_up()
        link.close(GOODBYE_S)
        self._bell.close()

    def _step(self, link: Link) -> None:
        link.wait(self._rest())
        now = self._clock()
        if self._retry_at is not None:
            if now < self._retry_at:
                return
            self._retry_at = None
            link.renew()
        while (frames := link.receive()) is not None:  # the last words of a connection too
            self._hear(link, protocol.parse(frames))
        self.problem = link.problem
        if not link.up:
            self._lost(now)
        elif link.made != self._greeted:
            self._lost(now)
            self._greet(link)
        if self.connected:
            self._look(now)
            self._send(link)
            if now - self._spoke_at > BEAT_S:
                self._say(link, protocol.PING)

    def _rest(self) -> float:
        """Seconds until the folder is to be looked at: what a ring came too early for is not left until the next."""
        if self._grown and self.connected and self._retry_at is None:
            return max(0.0, self._look_at - self._clock())
        return LOOK_S

    def _lost(self, now: float) -> None:
        if self.connected:
            self.connected = False
            self._away_since = now
        if not self._told_away and now - self._away_since > WARN_S:
            self._told_away = True
            self.outages += 1
            why = f" ({self.problem})" if self.problem else ""
            self._tell(
                f"flexlogger: nobody takes run logs at {self._where}{why}; training goes on, everything is kept in "
                f"{self._folder} and sent later"
            )

    def _greet(self, link: Link) -> None:
        """Over a new connection: learn what the receiver has."""
        self._greeted = link.made
        self._on_the_way.clear()
        self._bytes = 0
        if self._say(link, protocol.ASK, sizes=dict(self._parts.now().sizes)):
            self._on_the_way.append(None)

    def _hear(self, link: Link, said: Message[Head]) -> None:
        if said.kind == protocol.REFUSED:
            raise WireError(said.head.why)
        if said.kind == protocol.SHOWN:
            self._waiting.shown(said.head.number)
        elif said.kind == protocol.PING:
            self.unshown, self.url = said.head.why, said.head.url
        elif said.kind in (protocol.HAVE, protocol.STORED) and self._on_the_way:
            part = self._on_the_way.popleft()
            if part is None:
                self._welcomed(said.head)
            else:
                self._stored(link, part, said.head.size)

    def _welcomed(self, head: Head) -> None:
        self._parts.start_over(head.sizes)
        self._waiting.start_over()
        self._away_s = self.away_s
        self.connected = True
        self._look_at = 0.0
        if self._told_away:
            self._told_away = False
            self._tell(f"flexlogger: connected to {self._where}; what it missed is on its way")

    def _stored(self, link: Link, part: Part, size: int) -> None:
        self._bytes -= len(part.content)
        self.stored += 0 if part.kind == protocol.CARD else len(part.content)
        if not self._parts.stored(part, size):  # somebody cut it there: begin with what there is
            link.renew()
        if self.refusal:
            self.refusal = ""
            self._tell(f"flexlogger: {self._where} takes the run log again")

    # ---- what is sent

    def _look(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOKS_S
            self._grown = False
            self._parts.look()
        self._waiting.settle(self._parts.has)

    def _send(self, link: Link) -> None:
        while self._bytes < ON_THE_WAY and (part := self._parts.next()) is not None:
            head = {} if part.kind == protocol.CARD else {"name": part.name, "offset": part.offset, "size": part.size}
            if not self._say(link, part.kind, part.content, **head):
                return
            self._on_the_way.append(part)
            self._bytes += len(part.content)
        for asked in self._waiting.to_show(self._parts.has):
            asked.sent = self._say(link, protocol.SHOW, number=asked.number)

    def _say(self, link: Link, kind: bytes, content: bytes | None = None, **head: Any) -> bool:
        self._spoke_at = self._clock()
        frames = () if content is None else (content,)
        return link.send(message(kind, structs.replace(self._whose, **head), frames))

    def _refused(self, why: str) -> None:
        """Tell once why, and go on after a pause."""
        self._retry_at = self._clock() + RETRY_S
        if why != self.refusal:
            self.refusal = why
            self._tell(
                f"flexlogger: {self._where} does not take the run log: {why}; it is kept in {self._folder} and tried "
                "again"
            )
