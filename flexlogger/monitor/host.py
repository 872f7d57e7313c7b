"""The receiving side of a monitor: many clients, each in order, each state once."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.monitor import protocol
from flexlogger.monitor.codec import decode
from flexlogger.monitor.outbox import MANY
from flexlogger.monitor.protocol import Head, message
from flexlogger.net.bell import Bell
from flexlogger.net.keys import HostKeys
from flexlogger.net.listener import Listener
from flexlogger.net.sockets import BEAT_S, SILENCE_S
from flexlogger.net.tags import Frame, Message

DAMAGED = object()
"""Stands for a state that could not be decoded: it is counted, acknowledged and passed over."""
MAX_ENDED = 1000
"""Clients that have ended and are still listed."""


class Peer(msgspec.Struct):
    """One client as the host knows it."""

    id: str
    name: str
    expected: int
    """Number of the next state to take in."""
    handed: int = -1
    """Number of the last state that the user was given …"""
    done: int = -1
    """… and is done with."""
    told: tuple[int, int] = (-1, -1)
    """What the client knows of these two."""
    route: bytes = b""
    heard: float = 0.0
    """When it was last heard of, on the host's clock."""
    silent: bool = False
    received: int = 0
    ended: bool = False


class Received(msgspec.Struct, frozen=True, gc=False):
    """A state that waits for the user."""

    peer: Peer
    seq: int
    value: Any


class Host:
    """Listens in a thread of its own; `take` gives states in the order in which they came in.

    A state is acknowledged once the user is done with it (asks for the next one), so a host that dies loses none:
    clients send it again. Clients keep what is not acknowledged small (`flexlogger.monitor.outbox.WINDOW_BYTES` each),
    and so the queue here. `say` is told of clients that come and go.

    Raises ServerError where the address cannot be had.
    """

    def __init__(
        self,
        where: str,
        keys: HostKeys | None,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.peers: dict[str, Peer] = {}
        self._say = say
        self._clock = clock
        self._bell = Bell()
        self._listener = Listener(where, keys, self._bell)
        self.endpoint = self._listener.endpoint
        self.refused: Counter[str] = self._listener.refused
        """Messages and connections refused, by reason."""
        self._arrived = threading.Condition()
        self._queue: deque[Received] = deque()
        self._idle = False
        self._beat_at = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-monitor-host", daemon=True)
        self._thread.start()

    # ---- called by others

    def take(self, timeout: float | None, until_ended: bool = False) -> Received | None:
        """The next state; None where time ran out, the host was stopped, or (`until_ended`) every client has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                received = self._queue.popleft()
            except IndexError:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not self._wait(left, until_ended):
                    return None
                continue
            received.peer.handed = received.seq
            if received.value is not DAMAGED:
                return received
            self.done_with(received)

    def _wait(self, seconds: float | None, until_ended: bool) -> bool:
        """Wait for a state; tell first what was handed out, for somebody may wait for that."""
        self._tell()
        with self._arrived:
            self._arrived.wait_for(lambda: self._queue or self._stopping or (until_ended and self.all_ended), seconds)
        return bool(self._queue)

    def done_with(self, received: Received) -> None:
        """The user is done with a state: its client may forget it."""
        received.peer.done = received.seq
        self._tell()

    def _tell(self) -> None:
        if self._idle:
            self._idle = False
            self._bell.ring()

    @property
    def all_ended(self) -> bool:
        """True once there were clients, all have said that they are done, and all their states were taken."""
        return bool(self.peers) and all(peer.ended for peer in list(self.peers.values()))

    def silence(self, peer: Peer) -> float:
        """Seconds since a client was last heard of."""
        return self._clock() - peer.heard

    @property
    def waiting(self) -> int:
        """States that nobody has taken yet."""
        return len(self._queue)

    @property
    def stopped(self) -> bool:
        """True where nothing more comes."""
        return self._stopping

    def stop(self) -> None:
        """Stop listening. What was not taken stays with its clients."""
        self._stopping = True
        self._bell.ring()
        self._thread.join()
        self._notify()

    def _notify(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._step()
            except Exception as error:
                faults.swallow("the monitor's listening", error)
        self._send_acks()
        self._listener.close()
        self._bell.close()

    def _step(self) -> None:
        self._idle = True  # before the last look at what the user has done
        self._send_acks()
        self._listener.wait(BEAT_S)
        self._idle = False
        for route, frames in self._listener.receive():
            self._receive(route, frames)
        if self._clock() >= self._beat_at:
            self._beat()

    def _receive(self, route: bytes, frames: Sequence[Frame]) -> None:
        try:
            self._understand(route, protocol.parse(frames))
        except WireError as error:
            self._listener.refuse(str(error))
            self._send(route, protocol.REFUSED, Head(why=str(error)))

    def _understand(self, route: bytes, said: Message[Head]) -> None:
        peer = self.peers.get(said.head.client)
        if said.kind == protocol.HELLO:
            self._welcome(route, said.head)
            return
        if peer is None or peer.route != route:
            self._send(route, protocol.WELCOME)  # ours is a new life, or theirs an old connection: it is to greet first
            return
        peer.heard = self._clock()
        if said.kind in (protocol.DATA, protocol.MANY):
            self._take_in(peer, said)
        elif said.kind == protocol.END and peer.expected > said.head.seq:
            self._end(peer)

    def _welcome(self, route: bytes, head: Head) -> None:
        if not head.client or head.next < 0:
            raise WireError("a greeting without the client's id")
        peer = self.peers.get(head.client)
        if peer is None:
            self._make_room()
            peer = self.peers[head.client] = Peer(head.client, head.name, head.next)
        self._say(f"client {peer.name} {'is back' if peer.route else 'connected'}")
        peer.route, peer.heard, peer.silent, peer.told = route, self._clock(), False, (-1, -1)
        self._send(route, protocol.WELCOME, Head(next=peer.expected))

    def _make_room(self) -> None:
        ended = [peer.id for peer in self.peers.values() if peer.ended]
        for old in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self.peers[old]

    def _take_in(self, peer: Peer, said: Message[Head]) -> None:
        """One state, or several: those that came before are passed over, and after a gap none is taken."""
        seq, end = said.head.seq, said.head.next if said.kind == protocol.MANY else said.head.seq + 1
        if seq > peer.expected:
            self._send(peer.route, protocol.WELCOME, Head(next=peer.expected))
        if not seq <= peer.expected < end <= seq + MANY:
            return
        values = self._values(said, end - seq)[peer.expected - seq :]
        self._queue.extend([Received(peer, number, value) for number, value in enumerate(values, peer.expected)])
        peer.expected = end
        peer.received += len(values)
        self._notify()

    def _values(self, said: Message[Head], count: int) -> list[Any]:
        try:
            value = decode(said.frames)
            if said.kind == protocol.DATA:
                return [value]
            if isinstance(value, list) and len(value) == count:
                return value
            raise WireError(f"a message of many states that does not hold {count} of them")
        except WireError as error:  # it would be as damaged when sent again
            self._listener.refuse(str(error))
            return [DAMAGED] * count

    def _end(self, peer: Peer) -> None:
        self._send(peer.route, protocol.BYE)
        if not peer.ended:
            peer.ended = True
            self._say(f"client {peer.name} has ended after {peer.received:,} states")
            self._notify()

    def _send_acks(self) -> None:
        for peer in self.peers.values():
            now = (peer.done, peer.handed)
            if now != peer.told and peer.route:
                peer.told = now
                self._send(peer.route, protocol.ACK, Head(seq=now[0], next=now[1]))

    def _beat(self) -> None:
        """Say that we are here: a client that sends something large hears nothing else for a while."""
        now = self._clock()
        self._beat_at = now + BEAT_S
        for peer in self.peers.values():
            if peer.ended:
                continue
            self._send(peer.route, protocol.PING)
            if not peer.silent and now - peer.heard > SILENCE_S:
                peer.silent = True
                self._say(f"nothing heard of client {peer.name} for {SILENCE_S:g} s")

    def _send(self, route: bytes, kind: bytes, head: Head | None = None) -> None:
        self._listener.send(route, message(kind, head))
