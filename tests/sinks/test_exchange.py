"""Answers of all forms that HTTP allows, over one connection to a real socket."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from flexlogger.errors import ServerError
from flexlogger.sinks import exchange
from flexlogger.sinks.wire import Address, Connection


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5.0)
    with ours, theirs:
        yield ours, theirs


ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nServer: Tornado\r\nContent-Length: 5\r\n\r\nhello",
    "empty": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "error": b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "continued": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "old": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
}
BODIES = {"plain": b"hello", "empty": b"", "error": b"no", "long": b"x" * 9000, "chunked": b"abcde"}


@pytest.mark.parametrize("form", ANSWERS)
def test_an_answer_of_any_form_is_read_and_nothing_behind_it(
    form: str, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    theirs.sendall(ANSWERS[form] + b"next")
    wanted = (404 if form == "error" else 200, BODIES.get(form, b"ok"), True)
    if form in ("plain", "empty", "error"):  # http.client reads ahead, which is why only one answer may be under way
        assert exchange.answer(ours) == wanted
        assert ours.recv(10) == b"next"
    else:
        assert exchange.answer(ours) == wanted


def test_an_answer_that_comes_in_pieces_is_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    rest = threading.Timer(0.05, theirs.sendall, [b"ngth: 5\r\n\r\nhello"])
    rest.start()
    assert exchange.answer(ours) == (200, b"hello", True)


def test_a_server_that_closes_after_its_answer_is_left(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    assert exchange.answer(ours) == (200, b"ok", False)


def test_no_answer_and_no_http_are_told(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"220 mail.example ESMTP\r\n")
    with pytest.raises(http.client.BadStatusLine):
        exchange.answer(ours)
    theirs.close()
    with pytest.raises(OSError, match="closed"):
        exchange.answer(ours)


@pytest.mark.parametrize(("base", "token"), [("/a b", None), ("", "x\r\nHost: other"), ("/ü", None), ("", "☃")])
def test_what_cannot_stand_in_a_request_is_refused_without_telling_the_token(base: str, token: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection(Address("http", "127.0.0.1", server.getsockname()[1], base), token)
        with pytest.raises(ServerError, match="cannot be asked: check server and token"):
            connection.post("/events", {})
