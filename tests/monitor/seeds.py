"""Writes corpus.txt: `python -m tests.monitor.seeds`. One message of each kind, and damage that is worth keeping.

What fuzzing has found stays."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

import msgspec
import numpy as np

from flexlogger.mirror import protocol as mirror
from flexlogger.monitor import protocol as monitor
from flexlogger.monitor.codec import encode, pack, together
from tests.monitor.fuzz import CORPUS, Entry, corpus

STATES = {
    "scalars": {"loss": 0.5, "epoch": 3},
    "arrays": {"a": np.arange(4.0), "m": np.zeros((2, 3), "<i2"), "s": np.zeros(2, [("x", "<f4"), ("y", "S3")])},
    "times": {"t": [dt.datetime(2026, 1, 2), dt.date(2026, 1, 2), dt.timedelta(1), 2**70, 1j]},
    "nested": {"x": {"y": [None, b"z", {"w": [True, "text"]}]}, 3: -1, 0.5: "half"},
    "odd-arrays": [np.array(["M", "N"]), np.array("2026-01-02", "M8[s]"), np.zeros((0, 3)), np.zeros(3, "V0")],
    "titles": np.zeros(2, [(("title", "a"), "<f4", (2,))]),
}


def _array(descr: object, shape: object, index: object) -> bytes:
    return pack({"x": msgspec.msgpack.Ext(1, pack([descr, shape, index]))})


def _ext(code: int, content: object) -> list[bytes]:
    return [pack({"x": msgspec.msgpack.Ext(code, pack(content))})]


DAMAGED_STATES = {
    "nothing": [],
    "torn": [encode(STATES["scalars"])[0][:-3]],
    "never-used": [b"\xc1"],
    "trailing": [b"\x01\x01"],
    "deep": [b"\x91" * 1200],
    "huge-list": [b"\xdd\xff\xff\xff\xff"],
    "huge-map": [b"\xdf\xff\xff\xff\xff"],
    "huge-text": [b"\xdb\xff\xff\xff\xff"],
    "huge-ext": [b"\xc9\xff\xff\xff\xff\x01"],
    "huge-shape": [_array("<f8", [2**40], 1), bytes(8)],
    "huge-type": [_array("|V2147483647", [1], 1), bytes(8)],
    "negative-shape": [_array("<f8", [-1], 1), bytes(8)],
    "objects": [_array("|O", [1], 1), bytes(8)],
    "objects-inside": [_array([["x", "|O"]], [1], 1), bytes(8)],
    "no-type": [_array("no dtype", [1], 1), bytes(8)],
    "no-frame": [_array("<f8", [1], 5), bytes(8)],
    "own-frame": [_array("<f8", [1], 0), bytes(8)],
    "text-for-a-shape": [_array("<f8", "x", 1), bytes(8)],
    "no-date": _ext(2, "yesterday"),
    "long-integer": _ext(3, "1" * 4301),
    "three-parts": _ext(4, [1, 2, 3]),
    "long-time": _ext(6, [10**18, 0, 0]),
    "unknown-ext": _ext(99, None),
    "ext-in-ext": _ext(1, msgspec.msgpack.Ext(1, pack([]))),
}


def _monitor(kind: bytes, *frames: bytes, **head: object) -> list[bytes]:
    return [bytes(frame) for frame in monitor.message(kind, monitor.Head(**head), frames)]  # type: ignore[arg-type]


HELLO = _monitor(monitor.HELLO, client="c", name="n", next=0)
TO_HOST = {
    "1-hello": HELLO,
    "2-data": _monitor(monitor.DATA, pack({"n": 1}), client="c", seq=0),
    "3-many": _monitor(monitor.MANY, together([pack(1), pack(2)]), client="c", seq=1, next=3),
    "ping": _monitor(monitor.PING, client="c"),
    "end": _monitor(monitor.END, client="c", seq=2),
    "a-gap": _monitor(monitor.DATA, pack(9), client="c", seq=99),
    "a-stranger": _monitor(monitor.DATA, pack(9), client="d", seq=0),
}
FROM_HOST = {
    "welcome": _monitor(monitor.WELCOME, next=0),
    "hello-first": _monitor(monitor.WELCOME),
    "acknowledged": _monitor(monitor.ACK, seq=0, next=1),
    "acknowledged-far-ahead": _monitor(monitor.ACK, seq=10**6, next=10**6),
    "good-bye": _monitor(monitor.BYE),
    "ping": _monitor(monitor.PING),
}


def _mirror(kind: bytes, *frames: bytes, **head: object) -> list[bytes]:
    whose: dict[str, object] = {"project": "p", "run": "r"} | head
    return [bytes(frame) for frame in mirror.message(kind, mirror.Head(**whose), frames)]  # type: ignore[arg-type]


SEGMENT = "host-1-2-ab"
TO_RECEIVER = {
    "ask": _mirror(mirror.ASK, sizes={SEGMENT: 10}),
    "segment": _mirror(mirror.SEGMENT, b"{}\n", name=SEGMENT),
    "blob": _mirror(
        mirror.BLOB, b"{}", name="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", size=2
    ),
    "card": _mirror(mirror.CARD, b"{}"),
    "show": _mirror(mirror.SHOW, number=1),
    "ping": _mirror(mirror.PING),
    "a-gap": _mirror(mirror.SEGMENT, b"{}\n", name=SEGMENT, offset=10**6),
    "before-the-start": _mirror(mirror.SEGMENT, b"{}\n", name=SEGMENT, offset=-3),
}
REFUSED_BY_RECEIVER = {
    "other-folder": _mirror(mirror.SEGMENT, b"x", project="..", name=SEGMENT),
    "no-folder": _mirror(mirror.SEGMENT, b"x", run="a/b", name=SEGMENT),
    "no-segment": _mirror(mirror.SEGMENT, b"x", name="../x"),
    "no-digest": _mirror(mirror.BLOB, b"x", name="../../x", size=1),
    "wrong-digest": _mirror(mirror.BLOB, b"x", name="0" * 64, size=1),
    "beyond-the-end": _mirror(mirror.BLOB, b"xy", name="0" * 64, size=1),
    "no-content": _mirror(mirror.SEGMENT, name=SEGMENT),
    "two-contents": _mirror(mirror.SEGMENT, b"x", b"y", name=SEGMENT),
    "a-receivers": _mirror(mirror.HAVE, b"x"),
}
FROM_RECEIVER = {
    "have": _mirror(mirror.HAVE, sizes={SEGMENT: 10}),
    "stored": _mirror(mirror.STORED, name=SEGMENT, size=10),
    "stored-less": _mirror(mirror.STORED, name=SEGMENT, size=-5),
    "shown": _mirror(mirror.SHOWN, number=1),
    "ping": _mirror(mirror.PING, url="http://127.0.0.1:8097", why="no"),
}


def _strange(valid: list[bytes]) -> dict[str, list[bytes]]:
    """Damage that every protocol has to refuse."""
    tag, head, *frames = valid
    return {
        "no-frames": [],
        "half-a-message": [tag],
        "old-version": [tag[:3] + b"\x00" + tag[4:], head, *frames],
        "unknown-kind": [tag[:4] + b"?", head, *frames],
        "none-of-ours": [b"hello", b"world"],
        "empty": [b"", b""],
        "head-torn": [tag, head[:-1] if len(head) > 1 else b"", *frames],
        "head-of-another-type": [tag, pack({"seq": "x", "offset": "x"}), *frames],
        "head-a-list": [tag, b"\x91" * 1200, *frames],
        "head-huge": [tag, b"\xdf\xff\xff\xff\xff", *frames],
    }


def seeds() -> Iterator[Entry]:
    """Every line but those that were found."""
    fine: dict[str, dict[str, list[bytes]]] = {
        "state": {name: [bytes(frame) for frame in encode(state)] for name, state in STATES.items()},
        "host": TO_HOST,
        "client": FROM_HOST,
        "receiver": TO_RECEIVER,
        "sender": FROM_RECEIVER,
    }
    refused = {
        "state": DAMAGED_STATES,
        "host": _strange(HELLO)
        | {
            "nobody": _monitor(monitor.HELLO, next=0),
            "a-long-name": [HELLO[0], pack({"client": "x" * 1000})],
            "damaged-state": _monitor(monitor.DATA, b"\xc1", client="c", seq=3),
            "too-few": _monitor(monitor.MANY, together([pack(1)]), client="c", seq=4, next=9),
        },
        "client": _strange(FROM_HOST["acknowledged"]) | {"refused": _monitor(monitor.REFUSED, why="version 9")},
        "receiver": _strange(TO_RECEIVER["segment"]) | REFUSED_BY_RECEIVER,
        "sender": _strange(FROM_RECEIVER["have"]) | {"refused": _mirror(mirror.REFUSED, why="no room")},
    }
    for fate, messages in (("fine", fine), ("refused", refused)):
        for decoder, named in messages.items():
            yield from (Entry(decoder, fate, name, list(frames)) for name, frames in named.items())


if __name__ == "__main__":
    found: list[Entry] = []
    with contextlib.suppress(FileNotFoundError):
        found = [entry for entry in corpus() if entry.fate == "found"]
    CORPUS.write_text("".join(f"{entry}\n" for entry in (*seeds(), *found)), encoding="ascii")
