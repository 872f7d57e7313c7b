"""visdom's small HTTP protocol: one kept-alive connection, time-outs on every call, answers that are checked."""

from __future__ import annotations

import http.client
import json
import re
import select
import socket
from typing import Any
from urllib.parse import urlsplit

import msgspec

from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.sinks import exchange

CONNECT_S = 2.0
ANSWER_S = 5.0


class Address(msgspec.Struct, frozen=True):
    """Where a dashboard server listens; `str` gives its URL.

    >>> str(address("localhost", 8097)), str(address("https://dash.example/visdom", None))
    ('http://localhost:8097', 'https://dash.example:443/visdom')
    """

    scheme: str
    host: str
    port: int
    base: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.base}"

    @property
    def netloc(self) -> str:
        """Host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(server: str, port: int | None) -> Address:
    """Read a server as users write it: `localhost`, `http://127.0.0.1`, `https://dash.example/visdom`.

    A port inside `server` wins over `port`. Raises ValueRefusedError.
    """
    try:
        parts = urlsplit(server if "://" in server else f"http://{server}")
        own_port = parts.port
    except ValueError as error:
        raise ValueRefusedError(f"server: expected a host name or an http(s) URL, got {_hidden(server)!r}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueRefusedError(f"server: expected a host name or an http(s) URL, got {_hidden(server)!r}")
    if "@" in parts.netloc:
        raise ValueRefusedError(f"server: expected no user or password in {_hidden(server)!r}; use token for that")
    default = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, parts.hostname, own_port or port or default, parts.path.rstrip("/"))


def _hidden(server: str) -> str:
    """A server as it may be shown: without what may be a password."""
    return re.sub(r"[^/@]*@", "…@", server)


class RefusedError(ServerError):
    """The server is there and did not take this one request; the next may fare better."""


class Connection:
    """Requests to one server, one at a time.

    `generation` grows with every new TCP connection. A server that was restarted is always noticed that way, because
    the old connection is gone: whoever remembers the generation knows that the server may have forgotten everything.
    """

    def __init__(self, where: Address, token: str | None = None) -> None:
        self.where = where
        self.generation = 0
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._host = ""
        self._http: http.client.HTTPConnection | None = None

    def open(self) -> int:
        """Make sure that there is a live connection; return its generation. Raises ServerError."""
        if self._http is None or self._gone():
            self.close()
            self._connect()
        return self.generation

    def _gone(self) -> bool:
        """An idle connection that has something to read was closed by the other side."""
        assert self._http is not None
        if self._http.sock is None:
            return True
        poll = select.poll()  # select() fails past 1,024 open files
        poll.register(self._http.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _connect(self) -> None:
        kind = http.client.HTTPSConnection if self.where.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.where.host, self.where.port, timeout=CONNECT_S)
        try:
            self._host = self.where.netloc.encode("idna").decode()
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise ServerError(f"no dashboard server answers at {self.where} ({_reason(error)})") from error
        connection.sock.settimeout(ANSWER_S)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = connection
        self.generation += 1

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """POST a JSON body and return the answer's body. Raises ServerError where it is not a plain success."""
        self.open()
        assert self._http is not None
        content = _encoded(body)
        try:
            self._http.sock.sendall(exchange.request(self.where.base + path, self._host, self._headers, content))
            status, answer, goes_on = exchange.answer(self._http.sock)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ServerError(f"the dashboard server at {self.where} does not answer ({_reason(error)})") from error
        except ValueError:
            self.close()
            raise ServerError(f"the dashboard server at {self.where} cannot be asked: check server and token") from None
        if not goes_on:
            self.close()
        if status in (401, 403):
            raise ServerError(f"the dashboard server at {self.where} refused us ({status}): check the token")
        if status != 200:
            raise RefusedError(f"the dashboard server at {self.where} answered {path} with status {status}")
        return answer

    def close(self) -> None:
        """Let go of the connection; the next call makes a new one."""
        if self._http is not None:
            self._http.close()
            self._http = None


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # a lone surrogate in somebody's text
        return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
