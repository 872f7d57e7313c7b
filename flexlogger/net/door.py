"""Who may come in: answers ZeroMQ's question about each CURVE key (ZAP, RFC 27)."""

from __future__ import annotations

from typing import Any

import zmq
from zmq.utils import z85

from flexlogger.net.keys import HostKeys


class Door:
    """Lets in, on one context, only clients with the key that a host knows. Make it before the host's socket."""

    def __init__(self, context: zmq.Context[Any], keys: HostKeys) -> None:
        self._known = z85.decode(keys.client_public.encode())
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        """What to poll; `answer` then."""
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> tuple[str, bool]:
        """Answer one question; return the address of who asked, and whether it is let in."""
        version, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
        known = mechanism == b"CURVE" and credentials == [self._known]
        status = [b"200", b"OK"] if known else [b"400", b"unknown key"]
        self.socket.send_multipart([version, request, *status, b"", b""])
        return address.decode(errors="replace"), known

    def close(self) -> None:
        """Nobody else comes in."""
        self.socket.close(0)
