"""The sending side of a monitor: one thread and one socket, whatever happens to the host."""

from __future__ import annotations

import os
import secrets
import threading
import time
from typing import Any

import zmq

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.monitor import protocol
from flexlogger.monitor.outbox import Outbox
from flexlogger.monitor.protocol import Head, message
from flexlogger.net.keys import ClientKeys
from flexlogger.net.sockets import client_socket
from flexlogger.net.tags import Message

PING_S = 1.0
GOODBYE_S = 1.0
SILENCE_S = 3.0
"""A host that says nothing for so long is tried again over a new connection."""


class Client:
    """Sends what is in an outbox, in order, and again after every interruption, until it is acknowledged."""

    def __init__(self, where: str, outbox: Outbox, name: str, keys: ClientKeys | None) -> None:
        self.connected = threading.Event()
        """Set while the host answers."""
        self.connections = 0
        self.refusal = ""
        self._where = where
        self._outbox = outbox
        self._keys = keys
        self._id = secrets.token_hex(8)
        self._name = name
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._idle = False
        self._ending = False
        self._said_goodbye = threading.Event()
        self._stopping = False
        self._warned = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-monitor-client", daemon=True)
        self._thread.start()

    # ---- called by others

    def wake(self) -> None:
        """Something was put into the outbox."""
        if self._idle:
            self._idle = False
            os.eventfd_write(self._wake, 1)

    def end(self, timeout: float) -> bool:
        """Wait until the user at the host has got everything, and a moment for the host to note the end; False where
        time ran out."""
        deadline = time.monotonic() + timeout
        self._wake_now()
        if not self._outbox.wait_until_handed(timeout):
            return False
        self._ending = True
        self._wake_now()
        self._said_goodbye.wait(min(GOODBYE_S, max(0.0, deadline - time.monotonic())))
        return True

    def stop(self) -> None:
        """Stop the thread and let go of the socket."""
        self._stopping = True
        self._wake_now()
        self._thread.join()
        os.close(self._wake)

    def _wake_now(self) -> None:
        os.eventfd_write(self._wake, 1)

    # ---- the thread

    def _run(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        try:
            while not self._stopping:
                socket = client_socket(context, self._where, self._keys)
                try:
                    self._talk(socket)
                except zmq.Again:  # the connection is gone, and with it what took our messages
                    self._tell_away()
                except Exception as error:
                    faults.swallow("the monitor's sending", error)
                finally:
                    self.connected.clear()
                    socket.close()
        finally:
            context.destroy(linger=0)

    def _talk(self, socket: zmq.Socket[bytes]) -> None:
        """Speak over one connection until it falls silent."""
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        opened = heard = now = time.monotonic()
        pinged = opened
        self._send(socket, protocol.HELLO)
        while not self._stopping:
            self._idle = True  # before the last look into the outbox: what is put after it wakes us
            if self.connected.is_set():
                self._send_states(socket)
            ready = dict(poller.poll(1000 if self.connected.is_set() else 200))
            self._idle = False
            now = time.monotonic()
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if socket in ready:
                heard = now
                self._hear(socket)
            urgent = self._wake in ready and (self._ending or not self.connected.is_set())
            if urgent or now - pinged >= PING_S:
                pinged = now
                self._send(socket, self._next_word())
            if now - heard > SILENCE_S or (now - opened > SILENCE_S and not self.connected.is_set()):
                self._tell_away()
                return

    def _next_word(self) -> bytes:
        """What to say where there is no state to send."""
        if not self.connected.is_set():
            return protocol.HELLO
        done = self._ending and self._outbox.all_handed
        return protocol.END if done else protocol.PING

    def _send(self, socket: zmq.Socket[bytes], kind: bytes) -> None:
        head = Head(seq=self._outbox.last, next=self._outbox.first, client=self._id, name=self._name)
        socket.send_multipart(message(kind, head), zmq.NOBLOCK)

    def _send_states(self, socket: zmq.Socket[bytes]) -> None:
        while (parcel := self._outbox.next_parcel()) is not None:
            head = Head(seq=parcel.seq, client=self._id)
            socket.send_multipart(message(protocol.DATA, head, parcel.frames), zmq.NOBLOCK, copy=parcel.size < 65536)

    def _hear(self, socket: zmq.Socket[bytes]) -> None:
        while True:
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._understand(protocol.parse(frames))
            except WireError as error:
                self._refused(str(error))

    def _understand(self, said: Message[Head]) -> None:
        if said.kind == protocol.WELCOME and said.head.next < 0:
            self.connected.clear()  # a host that does not know us (any more): greet it again
            self._wake_now()
        elif said.kind == protocol.WELCOME:
            self._outbox.start_over(said.head.next)
            if not self.connected.is_set():
                self.connections += 1
                self.connected.set()
                if self._warned:
                    self._warned = False
                    faults.log.warning("flexlogger: monitor: connected to %s; what waited is on its way", self._where)
        elif said.kind == protocol.ACK:
            self._outbox.acknowledge(said.head.seq, said.head.next)
        elif said.kind == protocol.BYE:
            self._said_goodbye.set()
        elif said.kind == protocol.REFUSED:
            self._refused(said.head.why)

    def _refused(self, why: str) -> None:
        if why != self.refusal:
            self.refusal = why
            faults.log.warning("flexlogger: monitor: %s and we do not understand each other: %s", self._where, why)

    def _tell_away(self) -> None:
        if not self._warned:
            self._warned = True
            keys = "" if self._keys is None else ", or it does not know our key"
            faults.log.warning(
                "flexlogger: monitor: nobody answers at %s%s; states wait and training goes on", self._where, keys
            )
