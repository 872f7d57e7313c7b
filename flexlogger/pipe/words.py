"""What a trainer and the process that runs its views say to each other: a JSON object a line."""

from __future__ import annotations

from typing import Any

import msgspec

from flexlogger.runs.format import Resume
from flexlogger.runs.processes import Process


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line: which run to draw, and how. It may hold a token, so it goes nowhere but through the pipe.

    `log` is the trainer's own segment; `claims` are the files that say that it owns the run and, from the second on,
    its windows. `sinks` are (type, options) as in a config, the rest what their options leave open.
    """

    folder: str
    run: str
    log: str
    trainer: Process
    claims: tuple[str, ...]
    env: str
    uid: str
    sinks: tuple[tuple[str, dict[str, Any]], ...]
    ranks: str = "first"
    world: int = 1
    resume: Resume | None = None
    server: str | None = None
    port: int | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Order(run={self.run!r}, …)"


class Ask(msgspec.Struct, frozen=True, tag="ask", tag_field="say"):
    """Show in view `view` all of the trainer's log up to byte `end`, now."""

    number: int
    view: int
    end: int


class Drop(msgspec.Struct, frozen=True, tag="drop", tag_field="say"):
    """Let go of a view; what it has not shown gets `seconds`."""

    view: int
    seconds: float


class Over(msgspec.Struct, frozen=True, tag="over", tag_field="say"):
    """The trainer is done. Where standard input ends without it, the trainer is dead."""


class Shown(msgspec.Struct, frozen=True, tag="shown", tag_field="say"):
    """What was asked for is shown."""

    number: int


class Health(msgspec.Struct, frozen=True, tag="health", tag_field="say"):
    """The status of each view that is left. Said at least once a second."""

    views: dict[int, dict[str, Any]]


class Told(msgspec.Struct, frozen=True, tag="told", tag_field="say"):
    """Something for the trainer's log."""

    level: int
    text: str


class Fault(msgspec.Struct, frozen=True, tag="fault", tag_field="say"):
    """An unexpected error that was swallowed."""

    place: str
    text: str


Heard = Ask | Drop | Over
Said = Shown | Health | Told | Fault

encode = msgspec.json.Encoder().encode
decode_order = msgspec.json.Decoder(Order).decode
decode_heard = msgspec.json.Decoder(Heard).decode
decode_said: Any = msgspec.json.Decoder(Said).decode


def line(what: msgspec.Struct) -> bytes:
    """One line.

    >>> line(Shown(3))
    b'{"say":"shown","number":3}\\n'
    """
    return encode(what) + b"\n"


class Lines:
    """Puts what was read from a pipe together into lines.

    >>> lines = Lines()
    >>> lines.feed(b"a\\nb"), lines.feed(b"c\\n")
    ([b'a'], [b'bc'])
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, content: bytes) -> list[bytes]:
        """The lines that are whole now."""
        *whole, self._rest = (self._rest + content).split(b"\n")
        return whole
