"""Which dashboard server is meant (what was given, else what the environment says, else the one on this machine), and
which window of it."""

from __future__ import annotations

import hashlib
import os

from flexlogger.errors import ValueRefusedError
from flexlogger.sinks.wire import Address, address

DEFAULT_PORT = 8097


def server_of(server: str | None = None, port: int | None = None) -> Address:
    """Return the address of a server; FLEXLOGGER_SERVER and FLEXLOGGER_PORT stand in for what is not given.

    Raises ValueRefusedError for an address that cannot be.
    """
    return address(server or os.environ.get("FLEXLOGGER_SERVER") or "localhost", port or _port())


def token_of(token: str | None = None) -> str | None:
    """Return the token for a server, or FLEXLOGGER_TOKEN, or None. Raises ValueRefusedError, which never shows it."""
    if token:
        return token
    found = os.environ.get("FLEXLOGGER_TOKEN", "").strip()
    if not (found.isascii() and found.isprintable()):
        raise ValueRefusedError("FLEXLOGGER_TOKEN: expected printable ASCII characters")
    return found or None


def _port() -> int:
    text = os.environ.get("FLEXLOGGER_PORT", "")
    if text and not (text.isdecimal() and 0 < int(text) < 65536):
        raise ValueRefusedError(f"FLEXLOGGER_PORT: expected a port number from 1 to 65535, got {text!r}")
    return int(text) if text else DEFAULT_PORT


def window_id(uid: str, env: str, plot: str) -> str:
    """The id of a plot's window: the same for the same (uid, env, plot), so a resumed run continues its windows.

    >>> window_id("a", "main", "loss") == window_id("a", "main", "loss") != window_id("b", "main", "loss")
    True
    """
    return "flex_" + hashlib.blake2s("\0".join((uid, env, plot)).encode(), digest_size=10).hexdigest()
