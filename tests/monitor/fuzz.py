"""Damaged messages into everything that reads them, by the million: `python -m tests.monitor.fuzz [COUNT] [SEED]`.

Starts from corpus.txt, which is replayed first. An input that breaks a decoder is added to it, and so tried ever after.
"""

from __future__ import annotations

import base64
import hashlib
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.monitor.decoders import DECODERS, Feed

CORPUS = Path(__file__).parent / "corpus.txt"
MOST_MEMORY = 256 * 2**20
"""Bytes that the process may grow by over a whole run."""
_TEMPTING = [0x00, 0x7F, 0x80, 0x90, 0xC1, 0xC7, 0xC9, 0xD4, 0xD8, 0xDB, 0xDD, 0xDF, 0xFF]
"""Bytes that mean much in MessagePack: containers, extensions, lengths of 32 bits, the one that is never used."""


class Entry(NamedTuple):
    """A line of the corpus: which decoder it is for, what becomes of it (fine, refused, or found by fuzzing), a name,
    and its frames."""

    decoder: str
    fate: str
    name: str
    frames: list[bytes]

    def __str__(self) -> str:
        return " ".join([*self[:3], *(base64.b64encode(frame).decode() or "-" for frame in self.frames)])


def corpus() -> Iterator[Entry]:
    """The lines of corpus.txt."""
    for line in CORPUS.read_text(encoding="ascii").splitlines():
        decoder, fate, name, *frames = line.split(" ")
        yield Entry(decoder, fate, name, [base64.b64decode(frame.replace("-", "")) for frame in frames])


def fuzz(decoder: str, count: int, seed: int) -> int:
    """Give `count` messages to one decoder, the corpus first; return how many did not break it."""
    chance = random.Random(seed)
    with DECODERS[decoder]() as feed:
        known = [entry.frames for entry in corpus() if entry.decoder == decoder]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for frames in known:
            feed(frames)
        for _ in range(count - len(known)):
            _try(decoder, feed, _damaged(chance, known))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY, f"{decoder}: {grown:,} bytes more than before"
    return count


def _try(decoder: str, feed: Feed, frames: list[bytes]) -> None:
    try:
        feed(frames)
    except BaseException:
        name = hashlib.sha256(b"".join(frames)).hexdigest()[:12]
        with CORPUS.open("a", encoding="ascii") as file:
            print(Entry(decoder, "found", name, frames), file=file)
        raise


def _damaged(chance: random.Random, known: list[list[bytes]]) -> list[bytes]:
    frames = [bytearray(frame) for frame in chance.choice(known)]
    for _ in range(chance.randint(1, 4)):
        act = chance.randrange(7)
        if not frames or act == 5:
            frames.append(bytearray(chance.choice(chance.choice(known) or [b""])))
        elif act == 6:
            frames.pop(chance.randrange(len(frames)))
        else:
            _damage(chance, chance.choice(frames), act, known)
    return [bytes(frame) for frame in frames]


def _damage(chance: random.Random, frame: bytearray, act: int, known: list[list[bytes]]) -> None:
    at = chance.randrange(len(frame) + 1)
    if act == 0 and at < len(frame):
        frame[at] = chance.choice(_TEMPTING)
    elif act == 1 and at < len(frame):
        frame[at] ^= 1 << chance.randrange(8)
    elif act == 2:
        del frame[at:]
    elif act == 3:
        frame[at:at] = chance.randbytes(chance.randint(1, 8))
    elif act == 4:
        other = chance.choice(chance.choice(known) or [b""])
        frame[at:] = other[chance.randrange(len(other) + 1) :]


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    count, seed = (*words, *(1_000_000, 0)[len(words) :])
    for name in DECODERS:
        print(f"{name}: {fuzz(name, count, seed):,} damaged messages, none broke it", flush=True)
