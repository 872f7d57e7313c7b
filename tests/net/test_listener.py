"""A host's side: who was let in, and what is said of those who were not."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from flexlogger.net.bell import Bell
from flexlogger.net.door import Door
from flexlogger.net.keys import ClientKeys, client_keys, host_keys, make_keys
from flexlogger.net.listener import Listener

STRANGER = "a connection from ::ffff:127.0.0.1 was refused: its key is not known here"


class Leaving:
    """A client that shows its key, and is gone when it is answered."""

    def __init__(self, where: str, keys: ClientKeys) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.curve_publickey, self.socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        self.socket.curve_serverkey = keys.host_public.encode()
        self.socket.connect(where)

    def leave(self) -> None:
        self.socket.close(0)
        self.context.term()


@pytest.mark.parametrize("known", [False, True], ids=["another key", "the right key"])
def test_one_who_leaves_before_the_answer_spoke_no_other_protocol(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, client = make_keys(tmp_path / "lab")
    right, _ = client_keys(client), make_keys(tmp_path / "other")
    other = client_keys(tmp_path / "other.client.key")
    keys = right if known else ClientKeys(other.public, other.secret, right.host_public)
    answer, answered = Door.answer, 0
    clients: list[Leaving] = []

    def late(door: Door) -> tuple[str, bool]:
        nonlocal answered
        clients[answered].leave()
        answered += 1
        return answer(door)

    monkeypatch.setattr(Door, "answer", late)
    deadline = time.monotonic() + 30
    with closing(Bell()) as bell, closing(Listener("tcp://127.0.0.1:0", host_keys(host), bell)) as listener:
        for number in range(10):
            clients.append(Leaving(listener.endpoint, keys))
            while answered <= number and time.monotonic() < deadline:
                listener.wait(0.1)
        listener.wait(0.1)
        assert listener.refused == ({} if known else {STRANGER: 10})
