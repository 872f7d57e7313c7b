"""A client's connection to a host: it breaks, it comes back, and says so."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from flexlogger.net.bell import Bell
from flexlogger.net.keys import ClientKeys
from flexlogger.net.sockets import MAX_MESSAGE, SILENCE_S, new_socket, told
from flexlogger.net.tags import Frame

_WHY: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "it does not know our key",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "it does not speak our protocol, or not with these keys",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "it ends the connection; do both sides have keys, and of one pair?",
}
LAST_WORDS_S = 0.02
"""What a host said before its connection broke is received within so long."""
RETRY_S = 2.0
"""ZeroMQ gives up for good where a host did not speak our protocol; after so long it is tried all the same."""
_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED | sum(_WHY)


class Link:
    """One client's connection, used by one thread; `bell` wakes that thread.

    It connects by itself, again and again. While there is no connection nothing is taken, so nothing old arrives after
    a break; what was on its way to the host when it broke may be lost, what the host had said is received. A host that
    is not heard of for `SILENCE_S` seconds is connected to anew.
    """

    def __init__(
        self, where: str, keys: ClientKeys | None, bell: Bell, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.up = False
        """True while there is a connection."""
        self.made = 0
        """Connections so far; when there is one more, nothing was said yet over the new one."""
        self.problem = ""
        """Why the last try came to nothing, where that can be told."""
        self._where = where
        self._keys = keys
        self._bell = bell
        self._clock = clock
        self._context: zmq.Context[Any] = zmq.Context()
        self._connect()

    def _connect(self) -> None:
        socket = new_socket(self._context, zmq.DEALER, MAX_MESSAGE)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        if self._keys is not None:
            socket.curve_publickey = self._keys.public.encode()
            socket.curve_secretkey = self._keys.secret.encode()
            socket.curve_serverkey = self._keys.host_public.encode()
        self.up = False
        self._broken_at: float | None = None
        self._failed_at: float | None = None
        self._heard = self._clock()
        self._socket = socket
        self._events = socket.get_monitor_socket(_EVENTS)
        self._poller = zmq.Poller()
        for source in (socket, self._events, self._bell):
            self._poller.register(source, zmq.POLLIN)
        socket.connect(self._where)

    def wait(self, seconds: float) -> None:
        """Wait until something has come or happened, the bell was rung, or time ran out."""
        ready = dict(self._poller.poll(math.ceil(1000 * max(0.0, min(seconds, self._patience())))))
        if self._bell.fileno() in ready:
            self._bell.hush()
        if self._events in ready:
            self._look()
        if self._is_over(unread=self._socket in ready):
            self.renew()

    def _is_over(self, unread: bool) -> bool:
        now = self._clock()
        if self._broken_at is not None:
            return not unread and now - self._broken_at > LAST_WORDS_S
        if self._failed_at is not None:
            return now - self._failed_at > RETRY_S
        return self.up and now - self._heard > SILENCE_S

    def _patience(self) -> float:
        if self._broken_at is not None:
            return LAST_WORDS_S
        return SILENCE_S if self._failed_at is None else RETRY_S

    def _look(self) -> None:
        while self._events.poll(0):
            event, _ = told(self._events)
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.up = self._broken_at is None  # else it is ZeroMQ's, with what was left over
                self.made += self.up
                self.problem = ""
                self._heard = self._clock()
                self._failed_at = None
            elif event == zmq.EVENT_CONNECT_RETRIED:
                self._failed_at = None  # ZeroMQ sees to it
            elif self.up:
                self.up = False
                self._broken_at = self._clock()
            else:
                self._failed_at = self._clock()
            self.problem = _WHY.get(event, self.problem)

    def renew(self) -> None:
        """Give up the connection there is, and make another."""
        self._drop()
        self._connect()

    def send(self, frames: Sequence[Frame], copy: bool = True) -> bool:
        """Say something; False where there is no connection."""
        if not self.up:
            return False
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=copy)
        except zmq.Again:  # it has just broken
            self.up = False
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """What was said to us; None where nothing waits."""
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        self._heard = self._clock()
        return frames

    def close(self, seconds: float = 0.0) -> None:
        """Let go of it; what was just said gets up to `seconds` to leave."""
        self._socket.setsockopt(zmq.LINGER, int(1000 * seconds))
        self._drop()
        self._context.term()

    def _drop(self) -> None:
        if not self._socket.closed:  # it is where no other could be had
            self._socket.disable_monitor()
        self._events.close(0)
        self._socket.close()
