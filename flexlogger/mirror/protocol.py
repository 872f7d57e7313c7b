"""What a sender and a receiver of run logs say to each other: messages as in `flexlogger.net.tags`, magic `FLM`.

Segments only grow, so (segment, offset) says what is there already: bytes that come twice change nothing, and each side
may vanish at any moment. The receiver answers after its own write has returned; until then the sender keeps asking.

| kind | from | head | frame | meaning |
|---|---|---|---|---|
| Q | sender | project, run, sizes, digests | – | what do you have of these segments and blobs? |
| W | receiver | sizes, digests | – | this much of each segment, and these blobs |
| S | sender | project, run, name, offset | bytes | a part of segment `name` |
| B | sender | project, run, name | bytes | the blob with digest `name` |
| C | sender | project, run | bytes | run.json |
| A | receiver | name, size | – | segment `name` has `size` bytes on disk here; a blob or card (size -1) is there |
| X | receiver | name, why | – | refused; `name` is what |
| P | both | – | – | still here |
"""

from __future__ import annotations

import msgspec

from flexlogger.net.tags import Dialect

ASK, HAVE, SEGMENT, BLOB, CARD, STORED, REFUSED, PING = b"Q", b"W", b"S", b"B", b"C", b"A", b"X", b"P"


class Head(msgspec.Struct, omit_defaults=True):
    """The head of a message; each kind uses some of it."""

    project: str = ""
    run: str = ""
    name: str = ""
    offset: int = 0
    size: int = -1
    sizes: dict[str, int] = {}
    digests: list[str] = []
    why: str = ""


SPEECH = Dialect(b"FLM", 1, (ASK, HAVE, SEGMENT, BLOB, CARD, STORED, REFUSED, PING), Head)
message = SPEECH.message
parse = SPEECH.parse
