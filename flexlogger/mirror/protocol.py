"""What a sender and a receiver of run logs say to each other: messages as in `flexlogger.net.tags`, magic `FLM`.

Segments only grow, so (segment, offset) says what is there already: bytes that come twice change nothing, and each side
may vanish at any moment. The receiver answers every part after its own write has returned, in the order in which they
came; the sender has up to a few megabytes on their way.

| kind | from | head | frame | meaning |
|---|---|---|---|---|
| Q | sender | project, run, sizes | – | what do you have of these segments? |
| W | receiver | sizes | – | this much of each |
| S | sender | project, run, name, offset | bytes | a part of segment `name` |
| B | sender | project, run, name, offset, size | bytes | a part of the blob with digest `name`, `size` bytes in all |
| C | sender | project, run | bytes | run.json |
| A | receiver | name, size | – | that much of segment or blob `name` is on disk here; a card is |
| F | sender | project, run, number | – | show all that you have of the run |
| G | receiver | number | – | it is shown |
| X | receiver | name, why | – | refused; `name` is what |
| P | sender | project, run | – | still here |
| P | receiver | url, why | – | still here; where the run is shown, and why it is not, if so |
"""

from __future__ import annotations

import msgspec

from flexlogger.net.tags import Dialect

ASK, HAVE, SEGMENT, BLOB, CARD, STORED = b"Q", b"W", b"S", b"B", b"C", b"A"
SHOW, SHOWN, REFUSED, PING = b"F", b"G", b"X", b"P"
KINDS = (ASK, HAVE, SEGMENT, BLOB, CARD, STORED, SHOW, SHOWN, REFUSED, PING)
MAX_FRAME = 64 * 2**20
"""Larger frames end the connection; parts are far smaller, and a card is never so large."""


class Head(msgspec.Struct, omit_defaults=True):
    """The head of a message; each kind uses some of it."""

    project: str = ""
    run: str = ""
    name: str = ""
    offset: int = 0
    size: int = -1
    sizes: dict[str, int] = {}
    number: int = -1
    url: str = ""
    why: str = ""


SPEECH = Dialect(b"FLM", 1, KINDS, Head)
message = SPEECH.message
parse = SPEECH.parse
