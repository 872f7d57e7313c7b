"""The sending side of a monitor: one thread and one connection, whatever happens to the host."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.monitor import protocol
from flexlogger.monitor.codec import together
from flexlogger.monitor.outbox import Outbox
from flexlogger.monitor.protocol import Head, message
from flexlogger.net.bell import Bell
from flexlogger.net.keys import ClientKeys
from flexlogger.net.link import Link
from flexlogger.net.sockets import BEAT_S
from flexlogger.net.tags import Message

GOODBYE_S = 1.0
"""How long a client waits for the host to note its end."""
WARN_S = 3.0
"""A host that cannot be reached for so long is worth a word."""
POLL_S = 0.02
"""While states come, it is looked for more of them so often, and nobody has to wake the thread."""
REST_S = 1.0
"""After so long without any, it sleeps until it is woken."""
MAX_REASONS = 10
MAX_WHY = 300
_UNCOPIED = 65536


class Client:
    """Sends what is in an outbox, in order, and again after every interruption, until it is acknowledged. `say` is
    told of connections that come and go."""

    def __init__(
        self,
        where: str,
        outbox: Outbox,
        name: str,
        keys: ClientKeys | None,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connected = threading.Event()
        """Set while the host answers."""
        self.connections = 0
        self.refusal = ""
        """Why the host does not take what we say; empty while it does."""
        self._where = where
        self._outbox = outbox
        self._keys = keys
        self._say = say
        self._clock = clock
        self._id = os.urandom(8).hex()
        self._name = name
        self._bell = Bell()
        self._waits = False
        self._resting = True
        self._busy_at = clock()
        self._greeted = 0
        self._spoke_at = 0.0
        self._away_since = clock()
        self._ending = False
        self._said_goodbye = threading.Event()
        self._stopping = threading.Event()
        self._warned = False
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="flexlogger-monitor-client", daemon=True)
        self._thread.start()

    # ---- called by others

    def wake(self, size: int) -> None:
        """Something of `size` bytes was put into the outbox: what is large is sent at once."""
        self._busy_at = self._clock()
        if self._waits and (self._resting or size >= _UNCOPIED):
            self._waits = False
            self._bell.ring()

    def end(self, timeout: float) -> bool:
        """Wait until the user at the host has got everything, and a moment for the host to note the end; False where
        time ran out."""
        deadline = time.monotonic() + timeout
        self._bell.ring()
        if not self._outbox.wait_until_handed(timeout):
            return False
        self._ending = True
        self._bell.ring()
        self._said_goodbye.wait(min(GOODBYE_S, max(0.0, deadline - time.monotonic())))
        return True

    def finish(self, timeout: float) -> bool:
        """`end`, and stop; what was not acknowledged by then is counted as dropped, and told."""
        complete = self.end(timeout)
        self.stop()
        self._outbox.abandon("not acknowledged before the end")
        if self._outbox.dropped:
            faults.log.warning("flexlogger: monitor: states dropped, by reason: %s", dict(self._outbox.dropped))
        return complete

    def stop(self) -> None:
        """Stop the thread and let go of the socket."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join()

    # ---- the thread

    def _run(self) -> None:
        link = Link(self._where, self._keys, self._bell, clock=self._clock)
        while not self._stopping.is_set():
            try:
                self._step(link)
            except Exception as error:
                faults.swallow("the monitor's sending", error)
                self._recover(link)
        self.connected.clear()
        link.close()
        self._bell.close()

    def _recover(self, link: Link) -> None:
        """Begin again after a pause; even that may fail, where no more files can be opened, say."""
        self._stopping.wait(BEAT_S)
        try:
            link.renew()
        except Exception as error:
            faults.swallow("the monitor's connecting", error)

    def _step(self, link: Link) -> None:
        connected = self.connected.is_set()
        self._resting = connected and self._clock() - self._busy_at > REST_S
        self._outbox.attend(not self._resting)
        self._waits = True  # before the last look into the outbox: what is put after it wakes us
        if connected:
            self._send_states(link)
        link.wait(POLL_S if connected and not self._resting else BEAT_S)
        self._waits = False
        while (frames := link.receive()) is not None:  # the last words of a connection too
            self._hear(link, frames)
        if not link.up:
            self._lost(link.problem)
        elif link.made != self._greeted:
            self._lost("")
            self._greet(link)
        done = self._ending and self._outbox.all_handed and not self._said_goodbye.is_set()
        if self.connected.is_set() and (done or self._clock() - self._spoke_at > BEAT_S):
            self._send(link, protocol.END if done else protocol.PING)

    def _greet(self, link: Link) -> None:
        self._greeted = link.made
        self._send(link, protocol.HELLO)

    def _send(self, link: Link, kind: bytes) -> None:
        self._spoke_at = self._clock()
        link.send(message(kind, Head(seq=self._outbox.last, next=self._outbox.first, client=self._id, name=self._name)))

    def _send_states(self, link: Link) -> None:
        while link.up and (parcel := self._outbox.next_parcel()) is not None:
            self._spoke_at = self._busy_at = self._clock()
            head = Head(seq=parcel.first, next=parcel.last + 1, client=self._id)
            state = parcel.states[0]
            if len(parcel.states) > 1:
                link.send(message(protocol.MANY, head, [together(parcel.states)]))
            else:
                frames = [state] if isinstance(state, bytes) else state
                link.send(message(protocol.DATA, head, frames), copy=parcel.size < _UNCOPIED)

    def _hear(self, link: Link, frames: list[bytes]) -> None:
        try:
            self._understand(link, protocol.parse(frames))
        except WireError as error:
            self._refused(str(error))

    def _understand(self, link: Link, said: Message[Head]) -> None:
        if said.kind == protocol.WELCOME and said.head.next < 0:
            self._greet(link)  # a host that does not know us (any more)
        elif said.kind == protocol.WELCOME:
            self._outbox.start_over(said.head.next)
            self._found()
        elif said.kind == protocol.ACK:
            self._outbox.acknowledge(said.head.seq, said.head.next)
        elif said.kind == protocol.BYE:
            self._said_goodbye.set()
        elif said.kind == protocol.REFUSED:
            self._refused(said.head.why)

    # ---- what is told

    def _found(self) -> None:
        if self.connected.is_set():
            return
        self.connected.set()
        self.connections += 1
        self.refusal = ""
        self._say(f"connected to {self._where}")
        if self._warned:
            self._warned = False
            faults.log.warning("flexlogger: monitor: connected to %s; what waited is on its way", self._where)

    def _lost(self, why: str) -> None:
        if self.connected.is_set():
            self.connected.clear()
            self._away_since = self._clock()
            self._say(f"lost the connection to {self._where}; {self._outbox.queued:,} states wait")
        if not self._warned and not self.refusal and self._clock() - self._away_since > WARN_S:
            self._warned = True
            faults.log.warning(
                "flexlogger: monitor: nobody answers at %s%s; states wait and training goes on",
                self._where,
                f" ({why})" if why else "",
            )

    def _refused(self, why: str) -> None:
        """Tell each reason once, and no more of them than `MAX_REASONS`; what a host says is no longer than a line."""
        self.refusal = why = " ".join(why.split())[:MAX_WHY]
        if why not in self._told and len(self._told) < MAX_REASONS:
            self._told.add(why)
            faults.log.warning("flexlogger: monitor: %s and we do not understand each other: %s", self._where, why)
