"""Addresses, and ZeroMQ sockets as both sides of a connection want them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple

import zmq

from flexlogger.errors import ValueRefusedError

BEAT_S = 1.0
"""Each side says at least this often that it is there …"""
SILENCE_S = 10.0
"""… and one that was not heard of for so long is connected to anew. A handshake over a slow link takes seconds."""
MAX_MESSAGE = 2**30
"""Largest frame either side reads; ZeroMQ drops the connection of a peer that announces a larger one."""
_KEEPALIVE_S = 60
_ADDRESS = re.compile(r"tcp://(\[[^\]]+\]|[^:/@\s\[\]]+):(\d+)")


class Address(NamedTuple):
    """A host name or address, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read `tcp://host:port`. Raises ValueRefusedError.

    >>> address("tcp://dash.example:5555"), str(address("tcp://[::1]:5555"))
    (Address(host='dash.example', port=5555), 'tcp://[::1]:5555')
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        raise ValueRefusedError(f"expected an address such as tcp://dash.example:5555, but got {text!r}")
    return Address(found[1].strip("[]"), int(found[2]))


def endpoint(host: str, port: int) -> str:
    """The TCP endpoint of a host name and a port. Raises ValueRefusedError.

    >>> endpoint("localhost", 10086), endpoint("::1", 10086)
    ('tcp://127.0.0.1:10086', 'tcp://[::1]:10086')
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueRefusedError(f"port: expected an integer from 0 to 65535, got {port!r}")
    if not isinstance(host, str) or not host.strip() or any(sign in host for sign in "/@ "):
        raise ValueRefusedError(f"host: expected a host name or address, got {host!r}")
    return str(Address("127.0.0.1" if host == "localhost" else host.strip("[]"), port))


def is_loopback(host: str) -> bool:
    """True for an address that other machines cannot reach.

    >>> is_loopback("localhost"), is_loopback("127.0.0.5"), is_loopback("0.0.0.0"), is_loopback("dash.example")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_keys(host: str, keys: object) -> None:
    """Refuse a connection that leaves the machine without keys; raise ValueRefusedError."""
    if keys is None and not is_loopback(host):
        raise ValueRefusedError(
            f"host: {host} can be reached from other machines, which needs keys; make them with: flexlogger keys NAME, "
            "and pass keys='NAME.host.key' to the host and keys='NAME.client.key' to its clients"
        )


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
