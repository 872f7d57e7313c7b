"""ZeroMQ sockets as both sides of a connection want them."""

from __future__ import annotations

import ipaddress
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.net.keys import ClientKeys, HostKeys

MAX_MESSAGE = 2**30
"""Largest frame either side reads; ZeroMQ drops the connection of a peer that announces a larger one."""
BEAT_MS = 1000
DEAD_MS = 5000
"""A peer that says nothing for so long is taken for gone; both sides then connect anew."""

FAILED: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the handshake failed",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "it does not speak our protocol, or without keys where keys are needed",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "its key is not known here",
}
"""Why a connection never came to be, by the event that tells of it."""


def endpoint(host: str, port: int) -> str:
    """The TCP endpoint of a host name and a port.

    >>> endpoint("localhost", 10086), endpoint("::1", 10086)
    ('tcp://127.0.0.1:10086', 'tcp://[::1]:10086')
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueRefusedError(f"port: expected an integer from 0 to 65535, got {port!r}")
    if not isinstance(host, str) or not host.strip() or any(sign in host for sign in "/@ "):
        raise ValueRefusedError(f"host: expected a host name or address, got {host!r}")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


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


def _common(socket: zmq.Socket[bytes]) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
    socket.setsockopt(zmq.HEARTBEAT_IVL, BEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, DEAD_MS)
    socket.setsockopt(zmq.SNDHWM, 0)  # what is in flight is bounded by what is not acknowledged
    socket.setsockopt(zmq.RCVHWM, 0)


def client_socket(context: zmq.Context[Any], where: str, keys: ClientKeys | None) -> zmq.Socket[bytes]:
    """A socket that connects to a host, and connects again by itself."""
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    _common(socket)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
    if keys is not None:
        socket.curve_publickey = keys.public.encode()
        socket.curve_secretkey = keys.secret.encode()
        socket.curve_serverkey = keys.host_public.encode()
    socket.connect(where)
    return socket


def host_socket(context: zmq.Context[Any], where: str, keys: HostKeys | None) -> zmq.Socket[bytes]:
    """A socket that clients connect to. Raises ServerError where the address cannot be had."""
    socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
    _common(socket)
    if keys is not None:
        socket.curve_server = True
        socket.curve_publickey = keys.public.encode()
        socket.curve_secretkey = keys.secret.encode()
        socket.zap_domain = b"flexlogger"
    try:
        socket.bind(where)
    except zmq.ZMQError as error:
        socket.close()
        raise ServerError(f"cannot listen on {where} ({error.strerror.lower()}); choose another port") from error
    return socket


class Doorkeeper:
    """Lets in, on one context, only clients with the key a host knows."""

    def __init__(self, context: zmq.Context[Any], keys: HostKeys) -> None:
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("flexlogger", _Only(keys.client_public.encode()))

    def stop(self) -> None:
        """End the thread that answers for the socket."""
        self._authenticator.stop()


class _Only:
    """ZAP's question: may this public key (Z85) come in?"""

    def __init__(self, public: bytes) -> None:
        self._public = public

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._public
