"""What of a run's folder a receiver lacks, part by part, in the order in which it may be sent."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flexlogger import faults
from flexlogger.mirror import protocol
from flexlogger.runs.blobs import BlobStore
from flexlogger.runs.card import FILE
from flexlogger.runs.segment import segments

PART = 128 * 2**10
"""Bytes sent at a time: an answer comes often enough to tell a slow link from a dead one."""
_DIGEST = re.compile(rb'"digest":"([0-9a-f]{64})"')
_LONGEST = 80
"""So far back a digest may have begun that the part before cut in two."""


class Part(NamedTuple):
    """Bytes of a segment from `offset` on, or of a blob of `size` bytes; or the card, whose offset is its time."""

    kind: bytes
    name: str
    offset: int
    size: int
    content: bytes


class State(NamedTuple):
    """A folder at one moment: bytes of each segment, and when the card was written."""

    sizes: Mapping[str, int]
    card: int


class Parts:
    """The parts of the run in `folder`, again after each `start_over`.

    A segment's part that names blobs waits until the receiver has them. Of several segments each gets its turn. Reading
    raises OSError where our own disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.there: dict[str, int] = {}
        """Bytes of each segment that the receiver has."""
        self._folder = folder
        self._store = BlobStore(folder / "blobs")
        self._known = State({}, 0)
        self._begun_again: set[str] = set()  # segments that are not what the receiver has
        self.start_over({})

    def start_over(self, there: Mapping[str, int]) -> None:
        """A new connection: the receiver has this much of each segment, and what was on its way is lost."""
        self.there = dict(there)
        self._sent = dict(there)
        self._held: dict[str, tuple[bytes, set[str]]] = {}  # parts that wait for blobs, by segment
        self._blobs: set[str] = set()  # that the receiver has, or nobody
        self._queue: deque[str] = deque()  # blobs to be sent, the first of them now
        self._sizes: dict[str, int] = {}  # of those
        self._blob_sent = 0
        self._card_sent = self._card_there = 0
        self._turn = ""

    def look(self) -> State:
        """See how far the files go now."""
        self._known = self.now()
        for name, size in self._known.sizes.items():
            if size < self.there.get(name, 0) and name not in self._begun_again:
                self._tell_begun_again(name)
        return self._known

    def now(self) -> State:
        """How far the files go now; callable from any thread. Raises no error."""
        sizes = {}
        try:
            for path in segments(self._folder):
                sizes[path.stem] = path.stat().st_size
        except OSError:
            pass  # deleted just now
        try:
            card = (self._folder / FILE).stat().st_mtime_ns
        except OSError:
            card = 0
        return State(sizes, card)

    def has(self, wanted: State) -> bool:
        """True where the receiver has all of that."""
        sizes = wanted.sizes.items()
        reached = all(self.there.get(name, 0) >= size and name not in self._begun_again for name, size in sizes)
        return reached and self._card_there >= wanted.card

    # ---- what to send

    def next(self) -> Part | None:
        """The next part; None where nothing can be sent before something is stored, or grows."""
        while self._queue or (name := self._whose_turn()):
            part = self._blob_part() if self._queue else self._segment_part(name)
            if part is not None:
                return part
        return self._card_part()

    def _whose_turn(self) -> str:
        names = [name for name, size in self._known.sizes.items() if self._can_go(name, size)]
        self._turn = next((name for name in names if name > self._turn), names[0] if names else "")
        return self._turn

    def _can_go(self, name: str, size: int) -> bool:
        if name in self._held:
            return self._held[name][1] <= self._blobs
        return size > self._sent.get(name, 0) and name not in self._begun_again

    def _segment_part(self, name: str) -> Part | None:
        """The next part of a segment; None where blobs that it names go first."""
        offset = self._sent.get(name, 0)
        content, digests = self._held.pop(name) if name in self._held else self._read(name, offset)
        if not digests <= self._blobs:
            self._held[name] = content, digests
            self._queue.extend(digest for digest in digests if digest not in self._sizes)
            return None
        self._sent[name] = offset + len(content)
        return Part(protocol.SEGMENT, name, offset, -1, content)

    def _read(self, name: str, offset: int) -> tuple[bytes, set[str]]:
        """What follows `offset`, and the blobs that it names and that have to be there first."""
        start = max(0, offset - _LONGEST)
        with (self._folder / f"{name}.jsonl").open("rb") as file:
            file.seek(start)
            content = file.read(offset - start + PART)
        return content[offset - start :], {found.decode() for found in _DIGEST.findall(content)} - self._blobs

    def _blob_part(self) -> Part | None:
        """The next part of the blob in turn; None where there is no such blob."""
        digest, offset = self._queue[0], self._blob_sent
        try:
            with self._store.path(digest).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(offset)
                content = file.read(PART)
        except OSError:  # the line that names it is as damaged there as it is here
            self._blobs.add(digest)
            content, size = b"", 0
        self._sizes[digest] = size
        self._blob_sent = offset + len(content)
        if self._blob_sent >= size:
            self._next_blob()
        return Part(protocol.BLOB, digest, offset, size, content) if size else None

    def _next_blob(self) -> None:
        self._queue.popleft()
        self._blob_sent = 0

    def _card_part(self) -> Part | None:
        if self._known.card <= self._card_sent:
            return None
        self._card_sent = self._known.card
        return Part(protocol.CARD, FILE, self._card_sent, -1, (self._folder / FILE).read_bytes())

    # ---- what arrived

    def stored(self, part: Part, size: int) -> bool:
        """A part was answered: the receiver has `size` bytes now. False where it should have more by now."""
        if part.kind == protocol.CARD:
            self._card_there = part.offset
            return True
        if part.kind == protocol.SEGMENT:
            self.there[part.name] = size
            return size >= part.offset + len(part.content)
        if size >= part.size:
            self._blobs.add(part.name)
        if self._queue and self._queue[0] == part.name:  # more of it may be there from an earlier connection
            self._blob_sent = max(self._blob_sent, size)
            if size >= part.size:
                self._next_blob()
        return size >= part.offset + len(part.content)

    def _tell_begun_again(self, name: str) -> None:
        self._begun_again.add(name)
        faults.log.warning(
            "flexlogger: segment %s was deleted and begun again; what is new in it is kept in %s, and not sent",
            name,
            self._folder,
        )
