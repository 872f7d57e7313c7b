"""Where a server listens, and which of that it may."""

from __future__ import annotations

import ipaddress

import msgspec


class Serving(msgspec.Struct, frozen=True):
    """A server that is ready: where it listens, its process, and where it keeps environments."""

    url: str
    port: int
    pid: int
    env_path: str


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine only.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
