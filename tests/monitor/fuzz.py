"""Damage to encoded states, by the million: `python -m tests.monitor.fuzz [COUNT] [SEED]`.

Starts from the states below and from what lies in tests/monitor/corpus (a message a file, frames behind their lengths);
an input that breaks the decoder is kept there, and so is tried first ever after.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import resource
import struct
import sys
from pathlib import Path

import numpy as np

from flexlogger.errors import WireError
from flexlogger.monitor.codec import decode, encode

CORPUS = Path(__file__).parent / "corpus"
MOST_MEMORY = 256 * 2**20
"""Bytes that the process may grow by over a whole run."""

_STATES = [
    {"loss": 0.5, "epoch": 3},
    {"a": np.arange(4.0), "m": np.zeros((2, 3), "<i2"), "s": np.zeros(2, [("x", "<f4"), ("y", "S3")])},
    {"t": [dt.datetime(2026, 1, 2), dt.date(2026, 1, 2), dt.timedelta(1), 2**70, 1j], "n": {"x": {"y": [None, b"z"]}}},
    [[[[1], "text"], True], np.array(["M", "N"]), np.array("2026-01-02", "M8[s]")],
]
_TEMPTING = [0x00, 0x7F, 0x80, 0x90, 0xC1, 0xC7, 0xC9, 0xD4, 0xD8, 0xDB, 0xDD, 0xDF, 0xFF]
"""Bytes that mean much in MessagePack: containers, extensions, lengths of 32 bits, the one that is never used."""


def fuzz(count: int, seed: int) -> int:
    """Decode `count` damaged messages; return how many did not break the decoder."""
    chance = random.Random(seed)
    corpus = [[bytes(frame) for frame in encode(state)] for state in _STATES] + kept()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for done in range(count):
        frames = corpus[done] if done < len(corpus) else _damaged(chance, corpus)
        try:
            with contextlib.suppress(WireError):
                decode(frames)
        except BaseException:
            _keep(frames)
            raise
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY, f"{grown:,} bytes more than before"
    return count


def _damaged(chance: random.Random, corpus: list[list[bytes]]) -> list[bytes]:
    frames = [bytearray(frame) for frame in chance.choice(corpus)]
    for _ in range(chance.randint(1, 4)):
        frame = chance.choice(frames)
        at = chance.randrange(len(frame) + 1)
        act = chance.randrange(6)
        if act == 0 and at < len(frame):
            frame[at] = chance.choice(_TEMPTING)
        elif act == 1 and at < len(frame):
            frame[at] ^= 1 << chance.randrange(8)
        elif act == 2:
            del frame[at:]
        elif act == 3:
            frame[at:at] = chance.randbytes(chance.randint(1, 8))
        elif act == 4:
            other = chance.choice(chance.choice(corpus))
            frame[at:] = other[chance.randrange(len(other) + 1) :]
        elif len(frames) > 1:
            frames.pop()
    return [bytes(frame) for frame in frames]


def kept() -> list[list[bytes]]:
    """The messages of the corpus."""
    return [_split(path.read_bytes()) for path in sorted(CORPUS.glob("*.bin"))]


def _split(content: bytes) -> list[bytes]:
    frames = []
    while content:
        (size,) = struct.unpack("<I", content[:4])
        frames.append(content[4 : 4 + size])
        content = content[4 + size :]
    return frames


def _keep(frames: list[bytes]) -> None:
    CORPUS.mkdir(exist_ok=True)
    content = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
    (CORPUS / f"{abs(hash(content)):x}.bin").write_bytes(content)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    count, seed = (*words, *(1_000_000, 0)[len(words) :])
    print(f"{fuzz(count, seed):,} damaged messages, none broke the decoder")
