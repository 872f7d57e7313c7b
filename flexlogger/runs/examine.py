"""All of a run's files, read from end to end: what is in them, how large they are, what is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from flexlogger.records import End
from flexlogger.runs.card import Card
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.segment import Damage, SegmentReader, segments, start_of


class SegmentFacts(msgspec.Struct):
    """One segment: who wrote it and when it was opened, its size, its items, how it ended (None: cut off, or still
    written), and what of it is damaged. `problem` says why it cannot be read."""

    file: str
    bytes: int = 0
    start: float = 0.0
    host: str = ""
    pid: int = 0
    rank: int = 0
    items: int = 0
    ended: str | None = None
    damage: Damage = msgspec.field(default_factory=Damage)
    problem: str = ""


class Examined(msgspec.Struct):
    """What a run's folder holds: its segments, and the values that lie beside them as blobs. `card` is what the
    segments of rank 0 tell of the run."""

    segments: list[SegmentFacts]
    card: Card
    blobs: int
    blob_bytes: int

    @property
    def damage(self) -> Damage:
        """What is damaged in all segments together."""
        return sum((segment.damage for segment in self.segments), Damage())

    @property
    def log_bytes(self) -> int:
        """The size of all segments."""
        return sum(segment.bytes for segment in self.segments)


def examine(folder: Path, advance: Callable[[int], None] = lambda done: None) -> Examined:
    """Read every segment of the run in `folder`; `advance` is told how many bytes were read since it was last called.

    Raises nothing for files that cannot be read: it says which.
    """
    ledger = Ledger()
    found = [_segment(path, ledger, advance) for path in segments(folder)]
    sizes = [path.stat().st_size for path in (folder / "blobs").glob("??/*")]
    return Examined(found, ledger.card(), len(sizes), sum(sizes))


def log_bytes(folder: Path) -> int:
    """Return the size of all segments, which is what `examine` and a replay have to read."""
    return sum(path.stat().st_size for path in segments(folder))


def _segment(path: Path, ledger: Ledger, advance: Callable[[int], None]) -> SegmentFacts:
    facts = SegmentFacts(path.name, start=start_of(path))
    try:
        facts.bytes = path.stat().st_size
        _read(path, facts, ledger, advance)
    except OSError as error:
        facts.problem = error.strerror or str(error)
    return facts


def _read(path: Path, facts: SegmentFacts, ledger: Ledger, advance: Callable[[int], None]) -> None:
    reader = SegmentReader(path)
    before = 0
    while items := reader.read():
        if reader.header is None or reader.header.rank == 0:
            ledger.write(items)
        facts.items += len(items)
        facts.ended = items[-1].status if isinstance(items[-1], End) else None
        advance(reader.offset - before)
        before = reader.offset
    facts.damage = reader.finish()
    if reader.header is not None:
        facts.host, facts.pid, facts.rank = reader.header.host, reader.header.pid, reader.header.rank
