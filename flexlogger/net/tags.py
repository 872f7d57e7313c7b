"""How every message of ours begins: what it is, in which version, of which kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from flexlogger.errors import WireError

Frame = bytes | memoryview
MAX_FRAMES = 100_000

HeadType = TypeVar("HeadType", bound=msgspec.Struct)


class Message(NamedTuple, Generic[HeadType]):
    """A message that was understood."""

    kind: bytes
    head: HeadType
    frames: Sequence[Frame]


class Dialect(Generic[HeadType]):
    """Messages of one protocol: a tag (`magic`, version, kind: six bytes), a head in MessagePack, frames.

    >>> class Head(msgspec.Struct):
    ...     n: int = 0
    >>> speech = Dialect(b"FLX", 1, [b"P"], Head)
    >>> speech.parse(speech.message(b"P", Head(7))).head
    Head(n=7)
    >>> speech.parse([b"FLX\\x02P", b""])
    Traceback (most recent call last):
    flexlogger.errors.WireError: a message of version 2; this is version 1: install the same flexlogger on both sides
    """

    def __init__(self, magic: bytes, version: int, kinds: Iterable[bytes], head: type[HeadType]) -> None:
        self._magic = magic
        self._version = version
        self._tags = {kind: magic + bytes([version]) + kind for kind in kinds}
        self._kinds = {tag: kind for kind, tag in self._tags.items()}
        self._empty = head()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(head).decode

    def message(self, kind: bytes, head: HeadType | None = None, frames: Sequence[Frame] = ()) -> list[Frame]:
        """The frames of a message."""
        return [self._tags[kind], self._encode(self._empty if head is None else head), *frames]

    def parse(self, frames: Sequence[Any]) -> Message[HeadType]:
        """Understand a message; raise WireError where it is none of ours, of another version, or damaged."""
        if not 2 <= len(frames) <= MAX_FRAMES:
            raise WireError(f"a message of {len(frames)} frames")
        tag = bytes(frames[0][:6])
        kind = self._kinds.get(tag)
        if kind is None:
            raise WireError(self._strange(tag))
        try:
            head = self._decode(frames[1])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"a message whose head cannot be read ({error})") from error
        return Message(kind, head, frames[2:])

    def _strange(self, tag: bytes) -> str:
        magic, version = tag[: len(self._magic)], tag[len(self._magic) : len(self._magic) + 1]
        if magic == self._magic and version and version[0] != self._version:
            return (
                f"a message of version {version[0]}; this is version {self._version}: "
                "install the same flexlogger on both sides"
            )
        return "a message that is none of ours"
