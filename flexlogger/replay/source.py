"""A run's items in the order and the shape in which its own views were given them."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from flexlogger import faults
from flexlogger.records import Definition, Event, Item, Record
from flexlogger.runs.card import read_card
from flexlogger.runs.format import DamagedLineError, Header
from flexlogger.runs.segment import Damage, SegmentReader, read_header, segments
from flexlogger.runs.tail import Batch, Tail
from flexlogger.sinks.handover import Stage
from flexlogger.sinks.merged import OneDashboard
from flexlogger.sinks.ranks import AcrossRanks

_PEEK = 1 << 14  # bytes in which an owner has said that it owns the run


class Source:
    """Reads the run in `folder`: at the first `read` all of it, then what was appended.

    The views of a live run tell what their own process logged from what others did: what it declares is the dashboard.
    So does this, for the segment of the process that owned the run last. `tell` is told of what cannot be read.

    Example:
        source = Source(folder)
        for items in source.read():
            board.write(items)
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] = faults.log.warning) -> None:
        self.folder = folder
        self.records = 0
        """Records handed over so far."""
        self._tell = tell
        self._own_path = own_segment(folder)
        self._own = SegmentReader(self._own_path) if self._own_path is not None else None
        header = header_of(self._own_path)
        resume = header.resume if header is not None else None
        said = _announced(folder)
        across = said.get("ranks") == "all"
        self._tail = Tail(folder, self._own_path, "all" if across else "first", resume=resume, tell=tell)
        self._stage: Stage = AcrossRanks(int(said.get("world", 1))) if across else OneDashboard()

    def read(self) -> Iterator[Sequence[Item]]:
        """Yield what was not yet read, in order of time. Raises no error."""
        own, others = _Waiting(self._own_batches()), _Waiting(self._tail.read())
        while (bound := min(own.last, others.last)) < math.inf:
            mine, theirs = own.take(bound), others.take(bound)
            for rank, items, is_own in _in_turn(mine, theirs):
                self.records += sum(type(item) is Record for item in items)
                yield self._stage.take(items, rank, own=is_own)

    def _own_batches(self) -> Iterator[Batch]:
        try:
            while self._own is not None and (items := self._own.read()):
                yield Batch(0, items)
        except OSError as error:
            self._tell(f"flexlogger: {self._own_path} cannot be read ({error.strerror or error}); it is left out")
            self._own = None

    @property
    def outdated(self) -> bool:
        """True once the run has another owner or was taken up at an earlier step: then a new source shows it right."""
        return self._tail.rewound or own_segment(self.folder) != self._own_path or self._was_cut()

    def _was_cut(self) -> bool:
        """A segment that was deleted while it is written is made again."""
        try:
            return self._own is not None and self._own.path.stat().st_size < self._own.offset
        except OSError:
            return False

    @property
    def offset(self) -> int:
        """Bytes of the log that were read so far."""
        return (self._own.offset if self._own is not None else 0) + self._tail.offset

    @property
    def segments(self) -> int:
        """How many segments are read."""
        return len(self._tail.headers) + (self._own is not None)

    @property
    def damage(self) -> Damage:
        """What had to be skipped; a last line that is still being written counts as torn."""
        return self._tail.damage + (self._own.finish() if self._own is not None else Damage())


class _Waiting:
    """Batches of which the next one is known."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._batch = next(batches, _NONE)
        self._at = 0

    @property
    def last(self) -> float:
        """The time of the last item that is known; infinite where there is none."""
        return self._batch.items[-1].time if self._batch.items else math.inf

    def take(self, bound: float) -> Batch:
        """Those of the next batch up to a time."""
        rank, items = self._batch
        start = self._at
        if self.last <= bound:
            self._batch, self._at = next(self._batches, _NONE), 0
            return Batch(rank, items[start:] if start else items)
        self._at = bisect_right(items, bound, start, key=_time)
        return Batch(rank, items[start : self._at])


_NONE = Batch(0, [])
_time = attrgetter("time")


def _in_turn(mine: Batch, theirs: Batch) -> Iterator[tuple[int, list[Item], bool]]:
    """Two batches in order of time, as pieces (rank, items, whether they are mine); one piece where nobody has to
    know whose they are: that is asked of definitions, and of other ranks."""
    if not (mine.items and theirs.items):
        rank, items = mine if mine.items else theirs
        yield rank, items, bool(mine.items)
    elif mine.rank == theirs.rank and not any(type(item) is Definition for item in (*mine.items, *theirs.items)):
        yield mine.rank, list(merge(mine.items, theirs.items, key=_time)), True
    else:
        tagged = ([(item, is_mine) for item in of.items] for of, is_mine in ((mine, True), (theirs, False)))
        for is_mine, group in groupby(merge(*tagged, key=lambda pair: pair[0].time), key=itemgetter(1)):
            yield (mine if is_mine else theirs).rank, [item for item, _ in group], is_mine


def own_segment(folder: Path) -> Path | None:
    """Return the segment of the process that owned the run last: the newest one of the process that the card names,
    else the newest one that begins with its owner's announcement, else the first. None where there is none."""
    of_first_rank = [path for path in segments(folder) if (header := header_of(path)) is None or header.rank == 0]
    card = read_card(folder)
    if card is not None and card.pid:
        named = [path for path in of_first_rank if _is_from(header_of(path), card.host, card.pid)]
        if named:
            return named[-1]
    announced = [path for path in of_first_rank if _announcement(path) is not None]
    return announced[-1] if announced else next(iter(of_first_rank), None)


def header_of(path: Path | None) -> Header | None:
    """Return a segment's header; None where it cannot be read."""
    try:
        return read_header(path) if path is not None else None
    except (OSError, DamagedLineError):
        return None


def _is_from(header: Header | None, host: str, pid: int) -> bool:
    return header is not None and header.pid == pid and header.host == re.sub(r"[^\w.]", "_", host)


def _announced(folder: Path) -> dict[str, Any]:
    """What an owner said of the run when it opened it."""
    return next((said for path in segments(folder) if (said := _announcement(path)) is not None), {})


def _announcement(path: Path) -> dict[str, Any] | None:
    try:
        first = SegmentReader(path, data=False).read(_PEEK)[:2]
    except OSError:
        return None
    return next((item.info for item in first if isinstance(item, Event) and item.kind == "run"), None)
