"""The receiving side of a monitor: many clients, each in order, each state once."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Any

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.monitor import protocol
from flexlogger.monitor.codec import decode
from flexlogger.monitor.protocol import Head, message
from flexlogger.net.keys import HostKeys
from flexlogger.net.sockets import FAILED, Doorkeeper, host_socket
from flexlogger.net.tags import Frame, Message

POLL_MS = 500
DAMAGED = object()
"""Stands for a state that could not be decoded: it is counted, acknowledged and passed over."""


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
    route: bytes = b""
    heard: float = 0.0
    received: int = 0
    ended: bool = False


class Received(msgspec.Struct, frozen=True):
    """A state that waits for the user."""

    peer: Peer
    seq: int
    value: Any


class Host:
    """Listens in a thread of its own; `take` gives states in the order in which they came in.

    A state is acknowledged once the user is done with it (asks for the next one), so a host that dies loses none:
    clients send it again. Clients keep what is not acknowledged small (`flexlogger.monitor.outbox.WINDOW_BYTES` each),
    and so the queue here.

    Raises ServerError where the address cannot be had.
    """

    def __init__(self, where: str, keys: HostKeys | None) -> None:
        self.peers: dict[str, Peer] = {}
        self.refused: dict[str, int] = {}
        """Messages and connections refused, by reason."""
        self._context: zmq.Context[Any] = zmq.Context()
        self._door = Doorkeeper(self._context, keys) if keys is not None else None
        try:
            self._socket = host_socket(self._context, where, keys)
        except BaseException:
            self._let_go()
            raise
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._monitor = self._socket.get_monitor_socket(sum(FAILED))
        self._arrived = threading.Condition()
        self._queue: deque[Received] = deque()
        self._acks: deque[Peer] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-monitor-host", daemon=True)
        self._thread.start()

    # ---- called by others

    def take(self, timeout: float | None, until_ended: bool = False) -> Received | None:
        """The next state; None where time ran out, the host was stopped, or (`until_ended`) every client has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._arrived:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._arrived.wait_for(lambda: self._queue or self._stopping or (until_ended and self.all_ended), left)
                if not self._queue:
                    return None
                received = self._queue.popleft()
            received.peer.handed = received.seq
            if received.value is not DAMAGED:
                self._tell(received.peer)
                return received
            self.done_with(received)

    def done_with(self, received: Received) -> None:
        """The user is done with a state: its client may forget it."""
        received.peer.done = received.seq
        self._tell(received.peer)

    def _tell(self, peer: Peer) -> None:
        self._acks.append(peer)
        os.eventfd_write(self._wake, 1)

    @property
    def all_ended(self) -> bool:
        """True once there were clients, all have said that they are done, and all their states were taken."""
        return bool(self.peers) and all(peer.ended for peer in self.peers.values())

    @property
    def waiting(self) -> int:
        """States that nobody has taken yet."""
        return len(self._queue)

    def stop(self) -> None:
        """Stop listening. What was not taken stays with its clients."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        self._notify()

    def _notify(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    # ---- the thread

    def _run(self) -> None:
        poller = zmq.Poller()
        for source in (self._socket, self._monitor, self._wake):
            poller.register(source, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll(POLL_MS))
            try:
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                    self._send_acks()
                if self._monitor in ready:
                    self._note_handshake()
                if self._socket in ready:
                    self._hear()
            except Exception as error:
                faults.swallow("the monitor's listening", error)
        self._send_acks()
        self._let_go()

    def _let_go(self) -> None:
        if self._door is not None:
            self._door.stop()
        self._context.destroy(linger=200)

    def _hear(self) -> None:
        while True:
            try:
                route, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                self._understand(route.bytes, protocol.parse([_content(frame) for frame in frames]))
            except WireError as error:
                self._refuse(route.bytes, str(error))

    def _understand(self, route: bytes, said: Message[Head]) -> None:
        peer = self.peers.get(said.head.client)
        if said.kind == protocol.HELLO:
            self._welcome(route, said.head)
        elif peer is None or peer.route != route:
            self._send(route, protocol.WELCOME)  # an old connection, or ours is a new life: it is to greet again
        elif said.kind == protocol.DATA:
            self._data(peer, said)
        elif said.kind == protocol.PING:
            self._send(route, protocol.PING)
        elif said.kind == protocol.END:
            self._end(peer, said.head.seq)

    def _welcome(self, route: bytes, head: Head) -> None:
        if not head.client or head.next < 0:
            raise WireError("a greeting without the client's id")
        peer = self.peers.get(head.client)
        if peer is None:
            peer = self.peers[head.client] = Peer(head.client, head.name, head.next)
        peer.route = route
        peer.heard = time.time()
        self._send(route, protocol.WELCOME, Head(next=peer.expected))

    def _data(self, peer: Peer, said: Message[Head]) -> None:
        peer.heard = time.time()
        seq = said.head.seq
        if seq < peer.expected:
            return  # sent again before our acknowledgement had come
        if seq > peer.expected:
            self._send(peer.route, protocol.WELCOME, Head(next=peer.expected))
            return
        peer.expected += 1
        try:
            value = decode(said.frames)
        except WireError as error:  # it would be as damaged when sent again
            self._count(str(error))
            value = DAMAGED
        peer.received += 1
        with self._arrived:
            self._queue.append(Received(peer, seq, value))
            self._arrived.notify()

    def _end(self, peer: Peer, last: int) -> None:
        if peer.expected > last:
            peer.ended = True
            self._send(peer.route, protocol.BYE)
            self._notify()

    def _send_acks(self) -> None:
        peers = {}
        while self._acks:
            peer = self._acks.popleft()
            peers[peer.id] = peer
        for peer in peers.values():
            self._send(peer.route, protocol.ACK, Head(seq=peer.done, next=peer.handed))

    def _send(self, route: bytes, kind: bytes, head: Head | None = None) -> None:
        self._socket.send_multipart([route, *message(kind, head)], zmq.NOBLOCK)

    # ---- what is refused

    def _note_handshake(self) -> None:
        event = recv_monitor_message(self._monitor, zmq.NOBLOCK)
        self._count(f"a connection was refused: {FAILED.get(event['event'], 'it failed')}")

    def _refuse(self, route: bytes, why: str) -> None:
        self._count(why)
        self._send(route, protocol.REFUSED, Head(why=why))

    def _count(self, why: str) -> None:
        if why not in self.refused and len(self.refused) < 100:
            faults.log.warning("flexlogger: monitor: %s", why)
        if why in self.refused or len(self.refused) < 100:
            self.refused[why] = self.refused.get(why, 0) + 1


def _content(frame: zmq.Frame) -> Frame:
    """A frame's bytes; large ones stay where ZeroMQ put them."""
    return frame.buffer if len(frame) > 4096 else frame.bytes
