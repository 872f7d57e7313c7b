"""What client and host say to each other: ZeroMQ messages of a tag, a head and, with a state, its frames.

    tag    b"FLX", version (1 byte), kind (1 byte)
    head   MessagePack map

| kind | from | head | meaning |
|---|---|---|---|
| H | client | client, name, next | hello; `next` is the number of the first state that was never acknowledged |
| W | host | next | welcome: go on with state number `next`; without it: say hello first |
| D | client | client, seq | a state; frames follow (`flexlogger.monitor.codec`) |
| M | client | client, seq, next | states of one frame each from number `seq` up to `next`, as one MessagePack array |
| A | host | seq, next | the user has got every state up to `next`, and is done with those up to `seq` |
| P | both | client | still here |
| E | client | client, seq | no state follows after number `seq` (-1: there was none) |
| B | host | – | the end is noted: good-bye |
| R | host | why | refused |
"""

from __future__ import annotations

import msgspec

from flexlogger.net.tags import Dialect

HELLO, WELCOME, DATA, MANY, ACK, PING, END, BYE, REFUSED = b"H", b"W", b"D", b"M", b"A", b"P", b"E", b"B", b"R"
KINDS = (HELLO, WELCOME, DATA, MANY, ACK, PING, END, BYE, REFUSED)
MAX_NAME = 200


class Head(msgspec.Struct, omit_defaults=True):
    """The head of a message; each kind uses some of it."""

    seq: int = -1
    next: int = -1
    client: str = ""
    name: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if max(len(self.client), len(self.name)) > MAX_NAME:
            raise ValueError(f"a name of more than {MAX_NAME} characters")


SPEECH = Dialect(b"FLX", 1, KINDS, Head)
message = SPEECH.message
parse = SPEECH.parse
