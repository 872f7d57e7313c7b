"""What reads messages from outside, as functions: True where a message was understood, False where it was refused."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flexlogger.errors import WireError
from flexlogger.mirror import protocol as mirror
from flexlogger.mirror.receiver import Receiver
from flexlogger.mirror.sender import Sender
from flexlogger.monitor.client import Client
from flexlogger.monitor.codec import decode
from flexlogger.monitor.host import Host
from flexlogger.monitor.outbox import Outbox

Feed = Callable[[list[bytes]], bool]
NOWHERE = "tcp://127.0.0.1:9"
_SWEEP = 5000
"""After so many messages, what they made a receiver write is deleted."""


class _Deaf:
    """Stands for the socket of an end whose thread has stopped: what is said goes nowhere."""

    up = False
    made = 0

    def __init__(self) -> None:
        self.refusals = 0

    def send(self, *_: Any, **__: Any) -> bool:
        return True

    def renew(self) -> None:
        """Nothing to connect to."""

    def refuse(self, why: str) -> None:
        self.refusals += 1


def _understood(do: Callable[[], object]) -> bool:
    try:
        do()
    except WireError:
        return False
    return True


@contextlib.contextmanager
def _state() -> Iterator[Feed]:
    """A state's frames."""
    yield lambda frames: _understood(lambda: decode(frames))


@contextlib.contextmanager
def _host() -> Iterator[Feed]:
    """What comes to a StateMonitor host; nobody takes the states, so they are thrown away."""
    host, deaf = Host("tcp://127.0.0.1:0", None, lambda text: None), _Deaf()
    host.stop()
    host._listener = deaf  # type: ignore[assignment]

    def feed(frames: list[bytes]) -> bool:
        before = deaf.refusals
        host._receive(b"route", frames)
        host._queue.clear()
        return deaf.refusals == before

    yield feed


@contextlib.contextmanager
def _client() -> Iterator[Feed]:
    """What a host says to a StateMonitor client."""
    outbox = Outbox(2**20, "drop_oldest", 0.0)
    client, deaf = Client(NOWHERE, outbox, "c", None, lambda text: None), _Deaf()
    client.stop()

    def feed(frames: list[bytes]) -> bool:
        client.refusal = ""
        client._hear(deaf, frames)  # type: ignore[arg-type]
        assert outbox.queued >= 0
        return not client.refusal

    yield feed


@contextlib.contextmanager
def _receiver() -> Iterator[Feed]:
    """What comes to `flexlogger monitor`."""
    with tempfile.TemporaryDirectory() as folder:
        base, deaf = Path(folder, "base"), _Deaf()
        receiver = Receiver("tcp://127.0.0.1:0", base, None)
        receiver.stop()
        receiver._listener = deaf  # type: ignore[assignment]
        fed = 0

        def feed(frames: list[bytes]) -> bool:
            nonlocal fed
            fed += 1
            if fed % _SWEEP == 0:
                assert [path.name for path in Path(folder).iterdir()] in (["base"], [])
                receiver._store.close()
                shutil.rmtree(base, ignore_errors=True)
            before = deaf.refusals
            receiver._answer(b"route", frames)  # type: ignore[arg-type]
            return deaf.refusals == before

        yield feed
        receiver._store.close()


@contextlib.contextmanager
def _sender() -> Iterator[Feed]:
    """What `flexlogger monitor` says to a trainer."""
    with tempfile.TemporaryDirectory() as folder:
        sender, deaf = Sender(Path(folder), "p", "r", NOWHERE), _Deaf()
        sender.stop()
        sender.join()

        def feed(frames: list[bytes]) -> bool:
            sender._on_the_way.append(None)
            return _understood(lambda: sender._hear(deaf, mirror.parse(frames)))  # type: ignore[arg-type]

        yield feed


DECODERS: dict[str, Callable[[], contextlib.AbstractContextManager[Feed]]] = {
    "state": _state,
    "host": _host,
    "client": _client,
    "receiver": _receiver,
    "sender": _sender,
}
