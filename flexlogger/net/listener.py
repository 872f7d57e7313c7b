"""A host's side: a socket that clients connect to, who is let in, and what was refused."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from socket import socket
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
"""Which of the two comes depends on which side gives up first; one that just leaves is the former as well."""
_EVENTS = _FAILED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
MAX_REASONS = 100
_MAX_CALLERS = 10_000
_LARGE = 4096
_GOODBYE_S = 1.0


def _address(connection: int) -> str:
    """Whose connection it is; "" where they have left before one could look."""
    ours = -1
    try:
        ours = os.dup(connection)
        with socket(fileno=ours) as peer:
            ours = -1  # it is the socket's to close
            return str(peer.getpeername()[0])
    except OSError:
        return ""
    finally:
        if ours >= 0:  # another file has that number by now
            os.close(ours)


class Listener:
    """Listens at `where`; used by one thread, which `bell` wakes. Frames beyond `largest` bytes end a connection.

    Raises ServerError where the address cannot be had.
    """

    def __init__(self, where: str, keys: HostKeys | None, bell: Bell, *, largest: int = MAX_MESSAGE) -> None:
        self.refused: Counter[str] = Counter()
        """Connections and messages refused, by reason."""
        self._bell = bell
        self._largest = largest
        self._silent: dict[int, str] = {}  # connections that have said nothing whole yet: descriptor, and its address
        self._left: list[int] = []  # … of those that have ended
        self._failed = 0  # how the handshake failed of the connection that ends next
        self._broken: list[tuple[int, str]] = []  # how a handshake failed, and whose
        self._shown: Counter[str] = Counter()  # keys that were shown, by address
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
        if self._door is not None:
            self._answer(self._door)
        self._settle()

    def _look(self) -> None:
        """See who came and who left. A connection that fails is told of right before it ends."""
        while self._events.poll(0):
            event, connection = told(self._events)
            if event == zmq.EVENT_ACCEPTED:
                self._silent[connection] = _address(connection)
            elif event != zmq.EVENT_DISCONNECTED:
                self._failed = event
            elif (address := self._silent.pop(connection, None)) is not None:
                if self._failed & _FAILED:
                    self._broken.append((self._failed, address))
                self._left += [] if self._failed else [connection]
                self._failed = 0

    def _answer(self, door: Door) -> None:
        """Answer those who show a key."""
        while door.socket.poll(0):
            address, known = door.answer()
            if address in self._shown or len(self._shown) < _MAX_CALLERS:
                self._shown[address] += 1
            if not known:
                self.refuse(f"a connection from {address} was refused: its key is not known here")

    def _settle(self) -> None:
        """Tell of handshakes that failed. One who just leaves did not speak another protocol where a key was shown
        from that address before: each key accounts for one.

        To be called after `_answer`, for one who leaves before the answer had shown a key.
        """
        broken, self._broken = self._broken, []
        for event, address in broken:
            whose = address or next(iter(self._shown), "")
            if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and self._shown[whose] > 0:
                self._shown[whose] -= 1
                continue
            self.refuse("a connection was refused: another protocol, or without keys where keys are needed")

    def receive(self) -> Iterator[tuple[bytes, list[Frame]]]:
        """What waits, each with whom it came from."""
        left, self._left = self._left, []
        while True:
            try:
                route, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            connection = int(route.get(zmq.SRCFD))
            self._silent.pop(connection, None)
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
