"""One HTTP request and its answer over a connection that is kept, at the price of two system calls.

Python's http.client has a header parsed as e-mail is. Between two steps of a training, which wait for the interpreter
meanwhile, that is most of what a request costs (75 µs an answer; 8 for one that is looked at whole); so it only reads
the answers that are not plain.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from http.client import HTTPResponse

PLAIN_BYTES = 4096
"""A plain answer is not longer: a window's id, or a word."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)(?=\r)", re.IGNORECASE)
_SPECIAL = re.compile(rb"\r\n(?:Transfer-Encoding|Connection):", re.IGNORECASE)


def request(path: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it is sent. Raises ValueError for what cannot stand in a header.

    >>> request("/events", "localhost:8097", {"Content-Type": "text/plain"}, b"hi").split(b"\\r\\n")[:3]
    [b'POST /events HTTP/1.1', b'Host: localhost:8097', b'Accept-Encoding: identity']
    """
    if not re.fullmatch(r"[!-~]+", path):
        raise ValueError(f"not a path: {path!r}")
    fields = {"Host": host, "Accept-Encoding": "identity", **headers, "Content-Length": str(len(body))}
    if any(re.search(r"[\r\n\0]", value) for value in fields.values()):
        raise ValueError("a line break in a header")
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def answer(sock: socket.socket) -> tuple[int, bytes, bool]:
    """Read an answer: status, body, and whether the server goes on listening. Raises OSError and HTTPException."""
    plain = _plain(sock) if type(sock) is socket.socket else None  # with TLS nothing can be looked at beforehand
    if plain is not None:
        return *plain, True
    response = HTTPResponse(sock, method="POST")
    with response:
        response.begin()
        return response.status, response.read(), not response.will_close


def _plain(sock: socket.socket) -> tuple[int, bytes] | None:
    """An answer that has arrived whole; None, and nothing is read, where it has not or is of another form."""
    seen = sock.recv(PLAIN_BYTES, socket.MSG_PEEK)
    head, _, rest = seen.partition(b"\r\n\r\n")
    status, length = _STATUS.match(head), _LENGTH.search(head + b"\r")
    if status is None or length is None or _SPECIAL.search(head) or len(rest) < int(length[1]):
        return None
    end = len(head) + 4 + int(length[1])
    sock.recv(end)
    return int(status[1]), seen[len(head) + 4 : end]
