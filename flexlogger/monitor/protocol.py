"""What client and host say to each other: ZeroMQ messages of a tag, a head and, with a state, its frames.

    tag    b"FLX", version (1 byte), kind (1 byte)
    head   MessagePack map

| kind | from | head | meaning |
|---|---|---|---|
| H | client | client, name, next | hello; `next` is the number of the first state that was never acknowledged |
| W | host | next | welcome: go on with state number `next` |
| D | client | seq | a state; frames follow (`flexlogger.monitor.codec`) |
| A | host | seq, next | the user has got every state up to `next`, and is done with those up to `seq` |
| P | both | – | still here |
| E | client | seq | no state follows after number `seq` (-1: there was none) |
| B | host | – | the end is noted: good-bye |
| R | host | why | refused |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from flexlogger.errors import WireError
from flexlogger.monitor.codec import Frame

VERSION = 1
MAGIC = b"FLX"
HELLO, WELCOME, DATA, ACK, PING, END, BYE, REFUSED = b"H", b"W", b"D", b"A", b"P", b"E", b"B", b"R"
MAX_MESSAGE = 2**30
"""Largest frame either side reads; ZeroMQ drops the connection of a peer that announces a larger one."""
MAX_FRAMES = 100_000
MAX_NAME = 200

_TAGS = {kind: MAGIC + bytes([VERSION]) + kind for kind in (HELLO, WELCOME, DATA, ACK, PING, END, BYE, REFUSED)}
_KINDS = {tag: kind for kind, tag in _TAGS.items()}


class Head(msgspec.Struct, omit_defaults=True):
    """The head of a message; each kind uses some of it."""

    seq: int = -1
    next: int = -1
    client: str = ""
    name: str = ""
    why: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


class Message(NamedTuple):
    """A message that was understood."""

    kind: bytes
    head: Head
    frames: Sequence[Frame]


def message(kind: bytes, head: Head | None = None, frames: Sequence[Frame] = ()) -> list[Frame]:
    """The frames of a message.

    >>> parse(message(ACK, Head(seq=7))).head.seq
    7
    """
    return [_TAGS[kind], _encode(head or Head()), *frames]


def parse(frames: Sequence[Frame]) -> Message:
    """Understand a message; raise WireError where it is none of ours, of another version, or damaged.

    >>> parse([b"FLX\\x02D", b""])
    Traceback (most recent call last):
    flexlogger.errors.WireError: a message of version 2; this is version 1: install the same flexlogger on both sides
    """
    if not 2 <= len(frames) <= MAX_FRAMES:
        raise WireError(f"a message of {len(frames)} frames")
    tag = bytes(frames[0][:6])
    kind = _KINDS.get(tag)
    if kind is None:
        raise WireError(_strange(tag))
    try:
        head = _decode(frames[1])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError(f"a message whose head cannot be read ({error})") from error
    if max(len(head.client), len(head.name)) > MAX_NAME:
        raise WireError("a message whose sender has too long a name")
    return Message(kind, head, frames[2:])


def _strange(tag: bytes) -> str:
    if tag[:3] == MAGIC and len(tag) > 3 and tag[3] != VERSION:
        return f"a message of version {tag[3]}; this is version {VERSION}: install the same flexlogger on both sides"
    return "a message that is none of ours"
