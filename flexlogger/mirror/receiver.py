"""The dashboard machine's side: many trainers' run logs, written here as they grow there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.mirror import protocol
from flexlogger.mirror.protocol import MAX_FRAME, Head, message
from flexlogger.mirror.store import Store
from flexlogger.net.bell import Bell
from flexlogger.net.keys import HostKeys
from flexlogger.net.listener import Listener
from flexlogger.net.tags import Frame, Message

POLL_S = 0.5
SOON_S = 0.02
"""How often it is looked whether what was asked for is shown."""


class Audience(Protocol):
    """Who looks at the runs that come in. Called in the receiver's thread, and never waits."""

    def follow(self, folder: Path) -> None:
        """Something came for the run in `folder`, or its trainer said that it still lives."""

    def ask(self, folder: Path) -> Callable[[], bool]:
        """Ask for all of it to be shown now; what is returned tells whether it is."""

    def problem(self, folder: Path) -> str:
        """Why it cannot be shown; empty where it can."""

    def url(self, folder: Path) -> str:
        """Where it is shown; empty where nowhere, or not yet."""


class _Question(NamedTuple):
    route: bytes
    number: int
    shown: Callable[[], bool]


class Receiver:
    """Listens in a thread of its own and keeps every run it is sent below `base`.

    What is acknowledged is on disk here. Raises ServerError where the address cannot be had.
    """

    def __init__(self, where: str, base: Path, keys: HostKeys | None, audience: Audience | None = None) -> None:
        self.received = 0
        """Bytes of segments that were written."""
        self.runs: set[Path] = set()
        """The folders of runs that something came for."""
        self._store = Store(base)
        self._audience = audience
        self._questions: list[_Question] = []
        self._bell = Bell()
        self._listener = Listener(where, keys, self._bell, largest=MAX_FRAME)
        self.endpoint = self._listener.endpoint
        self.refused = self._listener.refused
        """What was refused, by reason."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-mirror-receiver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping = True
        self._bell.ring()
        self._thread.join()

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._listener.wait(SOON_S if self._questions else POLL_S)
                for route, frames in self._listener.receive():
                    answer = self._answer(route, frames)
                    if answer is not None:
                        self._listener.send(route, answer)
                self._tell_shown()
            except Exception as error:
                faults.swallow("receiving run logs", error)
        self._store.close()
        self._listener.close()
        self._bell.close()

    def _answer(self, route: bytes, frames: Sequence[Frame]) -> list[Frame] | None:
        """What is said to a message; None where that has to wait."""
        name = ""
        try:
            said = protocol.parse(frames)
            name = said.head.name
            folder = self._store.folder(said.head.project, said.head.run)
            if said.kind == protocol.SHOW:
                return self._show(route, folder, said.head.number)
            return self._understand(said, folder)
        except WireError as error:
            why = str(error)
        except OSError as error:
            why = f"cannot write below {self._store.base} ({error.strerror or error})"
        self._listener.refuse(why)
        return message(protocol.REFUSED, Head(name=name, why=why))

    def _understand(self, said: Message[Head], folder: Path) -> list[Frame]:
        head = said.head
        if said.kind == protocol.PING:
            return self._ping(folder)
        if said.kind == protocol.ASK:
            return message(protocol.HAVE, Head(sizes={name: self._store.size(folder, name) for name in head.sizes}))
        if len(said.frames) != 1:
            raise WireError(f"a message with {len(said.frames)} parts of a run where one was expected")
        size = self._keep(said.kind, folder, head, said.frames[0])
        self._follow(folder)
        return message(protocol.STORED, Head(name=head.name, size=size))

    def _keep(self, kind: bytes, folder: Path, head: Head, content: Frame) -> int:
        if kind == protocol.SEGMENT:
            before = self._store.size(folder, head.name)
            size = self._store.append(folder, head.name, head.offset, content)
            self.received += size - before
            self.runs.add(folder)
            return size
        if kind == protocol.BLOB:
            return self._store.append_blob(folder, head.name, head.offset, content, head.size)
        if kind == protocol.CARD:
            self._store.put_card(folder, content)
            return -1
        raise WireError("a message that only a receiver sends")

    # ---- who looks at it

    def _follow(self, folder: Path) -> None:
        if self._audience is not None:
            self._audience.follow(folder)

    def _ping(self, folder: Path) -> list[Frame]:
        if self._audience is None or not folder.is_dir():
            return message(protocol.PING)
        self._audience.follow(folder)
        return message(protocol.PING, Head(why=self._audience.problem(folder), url=self._audience.url(folder)))

    def _show(self, route: bytes, folder: Path, number: int) -> list[Frame] | None:
        if self._audience is None:
            return message(protocol.SHOWN, Head(number=number))
        if folder.is_dir():  # all of it may have come before this receiver was started
            self._audience.follow(folder)
        self._questions.append(_Question(route, number, self._audience.ask(folder)))
        return None

    def _tell_shown(self) -> None:
        for asked in [asked for asked in self._questions if asked.shown()]:
            self._listener.send(asked.route, message(protocol.SHOWN, Head(number=asked.number)))
            self._questions.remove(asked)
