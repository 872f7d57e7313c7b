"""What talks to a server besides visdom's client: bare HTTP and a page's websocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import websocket

from flexlogger.server.process import ServerProcess


def post(server: ServerProcess, path: str, body: Any, **headers: str) -> requests.Response:
    """POST `body` (as JSON unless it is bytes) with no header but those given."""
    data = body if isinstance(body, bytes) else json.dumps(body)
    return requests.post(server.url + path, data=data, headers=headers, timeout=20)


def get(server: ServerProcess, path: str, **headers: str) -> requests.Response:
    return requests.get(server.url + path, headers=headers, timeout=20)


def show(server: ServerProcess, env: str, win: str, text: str = "hello") -> None:
    """Put up a text window."""
    body = {"eid": env, "win": win, "data": [{"type": "text", "content": text}], "layout": {}, "opts": {}}
    answer = post(server, "/events", body)
    assert answer.text == win, answer.text


def exists(server: ServerProcess, env: str, win: str) -> bool:
    return bool(json.loads(post(server, "/win_exists", {"eid": env, "win": win}).text))


def envs(server: ServerProcess) -> set[str]:
    return set(post(server, "/env_state", {}).json())


class PageSocket:
    """The websocket of one open page."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self.connection = connection
        self.sid = self.wait_for("register")["data"]

    def send(self, **command: Any) -> None:
        self.connection.send(json.dumps(command))

    def wait_for(self, command: str) -> dict[str, Any]:
        """Return the next message of this kind."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv())
            if message["command"] == command:
                return message

    def settle(self) -> None:
        """Return once the server has dealt with everything sent before."""
        self.connection.ping("settled?")
        while self.connection.recv_data(control_frame=True)[0] != websocket.ABNF.OPCODE_PONG:
            pass


@contextmanager
def browser(server: ServerProcess, **options: Any) -> Iterator[PageSocket]:
    """Connect as a page served by `server` does."""
    connection = websocket.create_connection(f"ws://127.0.0.1:{server.port}/socket", timeout=20, **options)
    try:
        yield PageSocket(connection)
    finally:
        connection.close()
