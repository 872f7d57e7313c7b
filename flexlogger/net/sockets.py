"""ZeroMQ sockets as both sides of a connection want them."""

from __future__ import annotations

import struct
from typing import Any

import zmq

BEAT_S = 1.0
"""Each side says at least this often that it is there …"""
SILENCE_S = 10.0
"""… and one that was not heard of for so long is connected to anew. A handshake over a slow link takes seconds."""
MAX_MESSAGE = 2**30
"""Largest frame either side reads; ZeroMQ drops the connection of a peer that announces a larger one."""
_KEEPALIVE_S = 60


def new_socket(context: zmq.Context[Any], kind: int, largest: int) -> zmq.Socket[bytes]:
    """A socket with what both sides have in common; frames beyond `largest` bytes end a connection.

    ZeroMQ's own heartbeats are left off: a beat stands behind whatever is being sent, so that they cut a slow link in
    the middle of every large frame. What is said in `flexlogger.net.link` and TCP's keep-alive do instead.
    """
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, largest)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _KEEPALIVE_S)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, _KEEPALIVE_S // 6)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 6)
    socket.setsockopt(zmq.SNDHWM, 0)  # what is in flight is bounded by what is not acknowledged
    socket.setsockopt(zmq.RCVHWM, 0)
    return socket


def told(events: zmq.Socket[bytes]) -> tuple[int, int]:
    """The next event that a monitor socket tells, and its value; to be called where one waits.

    As `zmq.utils.monitor` has it, which takes asyncio in: a fifth of what a process that only watches has to import.
    """
    what, _ = events.recv_multipart(zmq.NOBLOCK)
    event, value = struct.unpack("=hi", what)
    return event, value
