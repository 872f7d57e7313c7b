"""A host's side: a socket that clients connect to, who is let in, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from flexlogger import faults
from flexlogger.errors import ServerError
from flexlogger.net.bell import Bell
from flexlogger.net.door import Door
from flexlogger.net.keys import HostKeys
from flexlogger.net.sockets import MAX_MESSAGE, new_socket, told
from flexlogger.net.tags import Frame

_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
"""Which of the two comes depends on which side gives up first."""
_EVENTS = _FAILED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
MAX_REASONS = 100
_LARGE = 4096
_GOODBYE_S = 1.0


class Listener:
    """Listens at `where`; used by one thread, which `bell` wakes. Frames beyond `largest` bytes end a connection.

    Raises ServerError where the address cannot be had.
    """

    def __init__(self, where: str, keys: HostKeys | None, bell: Bell, *, largest: int = MAX_MESSAGE) -> None:
        self.refused: Counter[str] = Counter()
        """Connections and messages refused, by reason."""
        self._bell = bell
        self._largest = largest
        self._silent: set[int] = set()  # connections, by descriptor, that have said nothing whole yet
        self._left: list[int] = []  # … of those that have ended
        self._failed = False  # the connection that ends next has been told of
        self._context: zmq.Context[Any] = zmq.Context()
        self._door = Door(self._context, keys) if keys is not None else None
        self._socket = new_socket(self._context, zmq.ROUTER, largest)
        if keys is not None:
            self._socket.curve_server = True
            self._socket.curve_publickey = keys.public.encode()
            self._socket.curve_secretkey = keys.secret.encode()
            self._socket.zap_domain = b"flexlogger"
        self._events = self._socket.get_monitor_socket(_EVENTS)
        try:
            self._socket.bind(where)
        except zmq.ZMQError as error:
            self.close()
            raise ServerError(f"cannot listen on {where} ({error.strerror.lower()}); choose another port") from error
        port = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2]
        self.endpoint = f"{where.rpartition(':')[0]}:{port}"
        """Where it listens; the port is the one that was got where 0 was asked for."""
        self._poller = zmq.Poller()
        for source in (self._socket, self._events, bell, *([self._door.socket] if self._door is not None else [])):
            self._poller.register(source, zmq.POLLIN)

    def wait(self, seconds: float) -> None:
        """Wait until something has come, the bell was rung, or time ran out; answer those who knock."""
        ready = dict(self._poller.poll(max(0, int(seconds * 1000))))
        if self._bell.fileno() in ready:
            self._bell.hush()
        if self._events in ready:
            self._look()
        if self._door is not None and self._door.socket in ready and (address := self._door.answer()) is not None:
            self.refuse(f"a connection from {address} was refused: its key is not known here")

    def _look(self) -> None:
        """See who came and who left. A connection that fails is told of right before it ends."""
        while self._events.poll(0):
            event, connection = told(self._events)
            if event == zmq.EVENT_ACCEPTED:
                self._silent.add(connection)
            elif event != zmq.EVENT_DISCONNECTED:
                self._failed = True
                if event & _FAILED:
                    self.refuse("a connection was refused: another protocol, or without keys where keys are needed")
            elif connection in self._silent:
                self._silent.discard(connection)
                self._left += [] if self._failed else [connection]
                self._failed = False

    def receive(self) -> Iterator[tuple[bytes, list[Frame]]]:
        """What waits, each with whom it came from."""
        left, self._left = self._left, []
        while True:
            try:
                route, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            connection = int(route.get(zmq.SRCFD))
            self._silent.discard(connection)
            left = [other for other in left if other != connection] if left else left
            yield route.bytes, [frame.buffer if len(frame) > _LARGE else frame.bytes for frame in frames]
        for _ in left:
            limit = f"{self._largest >> 20} MB"
            self.refuse(f"a connection ended before it said anything whole: half a message, or one of over {limit}")

    def send(self, route: bytes, frames: Sequence[Frame]) -> None:
        """Say something to one of those who spoke; nothing happens where it is gone."""
        self._socket.send_multipart([route, *frames], zmq.NOBLOCK)

    def refuse(self, why: str) -> None:
        """Count something that was refused, and tell each reason once."""
        if why not in self.refused and len(self.refused) >= MAX_REASONS:
            why = "more of the like"
        if why not in self.refused:
            faults.log.warning("flexlogger: monitor: %s", why)
        self.refused[why] += 1

    def close(self) -> None:
        """Listen no more; what was just said gets a moment to leave."""
        self._socket.disable_monitor()
        self._events.close(0)
        self._socket.close(int(1000 * _GOODBYE_S))
        if self._door is not None:
            self._door.close()
        self._context.term()
