"""Where hosts listen: addresses as users write them, and who may use one without keys."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from flexlogger.errors import ValueRefusedError

_ADDRESS = re.compile(r"tcp://(\[[^\]]+\]|[^:/@\s\[\]]+):(\d+)")


class Address(NamedTuple):
    """A host name or address, and a TCP port; `str` gives it as ZeroMQ takes it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read `tcp://host:port`. Raises ValueRefusedError.

    >>> address("tcp://dash.example:5555"), str(address("tcp://[::1]:5555")), str(address("tcp://localhost:5555"))
    (Address(host='dash.example', port=5555), 'tcp://[::1]:5555', 'tcp://127.0.0.1:5555')
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        raise ValueRefusedError(f"expected an address such as tcp://dash.example:5555, but got {text!r}")
    return Address(_plain(found[1]), int(found[2]))


def endpoint(host: str, port: int) -> str:
    """The TCP endpoint of a host name and a port. Raises ValueRefusedError.

    >>> endpoint("localhost", 10086), endpoint("::1", 10086)
    ('tcp://127.0.0.1:10086', 'tcp://[::1]:10086')
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueRefusedError(f"port: expected an integer from 0 to 65535, got {port!r}")
    if not isinstance(host, str) or not host.strip() or any(sign in host for sign in "/@ "):
        raise ValueRefusedError(f"host: expected a host name or address, got {host!r}")
    return str(Address(_plain(host), port))


def _plain(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host.strip("[]")


def is_loopback(host: str) -> bool:
    """True for an address that other machines cannot reach.

    >>> is_loopback("localhost"), is_loopback("127.0.0.5"), is_loopback("0.0.0.0"), is_loopback("dash.example")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        found = ipaddress.ip_address(host.strip("[]"))
        return (getattr(found, "ipv4_mapped", None) or found).is_loopback
    except ValueError:
        return False


def check_keys(host: str, keys: object) -> None:
    """Refuse a connection that leaves the machine without keys; raise ValueRefusedError."""
    if keys is None and not is_loopback(host):
        raise ValueRefusedError(
            f"host: {host} can be reached from other machines, which needs keys; make them with: flexlogger keys NAME, "
            "and pass keys='NAME.host.key' to the host and keys='NAME.client.key' to its clients"
        )
