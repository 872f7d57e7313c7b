"""All segments of a run as one stream, in order of time, for as long as they grow."""

from __future__ import annotations

import heapq
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from flexlogger import faults
from flexlogger.records import End, Event, Item, Record
from flexlogger.runs.format import VERSION, DamagedLineError, Header, Resume
from flexlogger.runs.segment import READ_BYTES, Damage, SegmentReader, read_header, segments, start_of

LEAST_BYTES = 1 << 14
"""Read at a time where many segments are merged; and of each rank, so that ranks are never far apart."""
SETTLED_S = 10.0
"""A last line that has been without its end for this long will not get one."""


class Batch(NamedTuple):
    """Items of one segment, in its order. `rank` is that of the process that wrote them."""

    rank: int
    items: list[Item]


class Tail:
    """What is new in a run's segments, each time `read` is called: the whole history first, then what was appended.

    Segments are merged by time, streaming: memory stays the same however long they are. Each segment keeps its own
    order. What a `resume` hides is left out, whichever segment says it.

    `skip` is the caller's own segment, whose items it has already; with it the `End` of other segments is left out
    too, for they do not end this run. `ranks="first"` reads only what rank 0 wrote; with "all" a batch of each rank
    takes turns with those of the others, a few hundred records long.

    What is damaged is counted in `damage` and told once for each segment, as is a file that cannot be read; it is
    tried again at the next `read`. Without `data`, values that are not scalars are left where they are.

    Example:
        tail = Tail(folder)
        for rank, items in tail.read():
            ...
    """

    def __init__(
        self,
        folder: Path,
        skip: Path | None = None,
        ranks: Literal["first", "all"] = "first",
        *,
        resume: Resume | None = None,
        data: bool = True,
        tell: Callable[[str], None] = faults.log.warning,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.rewound = False
        """True once a resume turned up that may hide what was already handed over: a reader that shows it starts over
        with a new `Tail`."""
        self._skip = skip
        self._ranks = ranks
        self._clock = clock
        self._data = data
        self._tell = tell
        self._resumes = {resume} if resume is not None else set()
        self._streams: dict[Path, _Stream] = {}
        self._headless: set[Path] = set()  # just made, or cut off in their first line
        self._others: set[Path] = set()  # of ranks that are not read
        self._unreadable: set[Path] = set()  # told once
        self._told: set[Path] = set()  # whose damage was told
        self._delivered = False

    def read(self) -> Iterator[Batch]:
        """Hand over what is on disk now and was not handed over before, in order of time. Raises no error."""
        self._look()
        for batch in self._merged():
            items = self._shown(batch.items)
            if items:
                self._delivered = True
                yield Batch(batch.rank, items)
        self._tell_damage()

    @property
    def damage(self) -> Damage:
        """What had to be skipped so far, in all segments. A last line that is still being written counts as torn."""
        return sum((stream.damage() for stream in self._streams.values()), Damage(torn=len(self._headless)))

    @property
    def offset(self) -> int:
        """Bytes that were read so far, in all segments."""
        return sum(stream.offset for stream in self._streams.values())

    @property
    def headers(self) -> list[Header]:
        """The headers of the segments that are read, oldest first."""
        return [stream.header for stream in self._streams.values()]

    # ---- segments

    def _look(self) -> None:
        """Find new segments; what they hide is known before the first item is handed over."""
        try:
            found = segments(self.folder)
        except OSError as error:
            self._refused(self.folder, error)
            return
        for path in found:
            if path not in self._streams and path not in self._others and path != self._skip:
                self._add(path)

    def _add(self, path: Path) -> None:
        try:
            header = read_header(path)
        except OSError as error:
            self._refused(path, error)
            return
        except DamagedLineError:  # counted when it is read; all we need of it is in the name
            header = Header(VERSION, self.folder.name, path.stem, "", 0, 0, start_of(path))
        if header is None:
            self._headless.add(path)
            return
        self._headless.discard(path)
        if header.resume is not None and header.resume not in self._resumes:
            self._resumes.add(header.resume)
            self.rewound |= self._delivered
        if header.rank == 0 or self._ranks == "all":
            self._streams[path] = _Stream(path, header, self._data)
        else:
            self._others.add(path)

    # ---- items

    def _merged(self) -> Iterator[Batch]:
        """A segment that nobody overlaps is handed over as it is read; those that overlap are merged up to where the
        first of them has to be read on."""
        active = [stream for stream in self._streams.values() if self._tried(stream.path, stream.look)]
        chunk = LEAST_BYTES if self._ranks == "all" else max(LEAST_BYTES, READ_BYTES // max(1, len(active)))
        while active:
            first = min(active, key=_front)
            last = first.last if self._tried(first.path, partial(first.load, chunk)) else -math.inf
            together = [s for s in active if s is first or s.front <= last]
            ended = [s for s in together if not self._tried(s.path, partial(s.load, chunk))]
            active = [stream for stream in active if stream not in ended]
            together = [stream for stream in together if stream not in ended]
            bound = min((stream.last for stream in together), default=0.0)
            parts = [(stream.header.rank, stream.take(bound)) for stream in together]
            for rank in sorted({rank for rank, _ in parts}):
                yield Batch(rank, _in_order([items for of, items in parts if of == rank and items]))

    def _shown(self, items: list[Item]) -> list[Item]:
        if self._skip is not None:
            items = [item for item in items if not isinstance(item, End)]
        if self._resumes:
            items = [item for item in items if not any(hides(resume, item) for resume in self._resumes)]
        return items

    # ---- what went wrong

    def _tried(self, path: Path, act: Callable[[], bool]) -> bool:
        """Do something with a file; False also where it cannot be read, which is told once."""
        try:
            return act()
        except OSError as error:
            self._refused(path, error)
            return False

    def _refused(self, path: Path, error: OSError) -> None:
        if path not in self._unreadable:
            self._unreadable.add(path)
            self._tell(f"flexlogger: {path} cannot be read ({error.strerror or error}); it is left out")

    def _tell_damage(self) -> None:
        for path, stream in self._streams.items():
            if path not in self._told and (damage := stream.damage(self._clock())):
                self._told.add(path)
                self._tell(f"flexlogger: {path}: skipped what is damaged ({damage})")


class _Stream:
    """One segment: what was decoded of it and not yet handed over."""

    def __init__(self, path: Path, header: Header, data: bool) -> None:
        self.path = path
        self.header = header
        self._data = data
        self.front = header.start
        """No item to come is older than this, as far as is known without reading on."""
        self._reader = SegmentReader(path, data=data)
        self._until = 0
        self._items: list[Item] = []
        self._at = 0

    def look(self) -> bool:
        """See how far the file goes now; False where there is nothing new. Raises OSError."""
        self._until = self.path.stat().st_size
        if self._until < self._reader.offset:  # deleted, and made again by its writer
            self._reader = SegmentReader(self.path, data=self._data)
        return self._until > self._reader.offset

    def load(self, size: int) -> bool:
        """Have something to take, reading on where need be; False at the end. Raises OSError."""
        if self._at == len(self._items):
            self._items, self._at = self._reader.read(size, self._until), 0
        if self._items:
            self.front = self._items[self._at].time
        return bool(self._items)

    @property
    def offset(self) -> int:
        """Bytes that were read."""
        return self._reader.offset

    @property
    def last(self) -> float:
        """The time of the last item that is loaded."""
        return self._items[-1].time

    def take(self, bound: float) -> list[Item]:
        """The loaded items up to a time."""
        items, start = self._items, self._at
        self._at = len(items) if self.last <= bound else bisect_right(items, bound, start, key=_time)
        return items[start : self._at] if self._at - start < len(items) else items

    def damage(self, now: float = math.inf) -> Damage:
        """What had to be skipped; a torn end only where nothing was written for `SETTLED_S` seconds."""
        try:
            damage = self._reader.finish()
            writing = now - self.path.stat().st_mtime <= SETTLED_S
        except OSError:
            damage, writing = self._reader.damage, True
        return msgspec.structs.replace(damage, torn=0) if writing else damage


_time = attrgetter("time")
_front = attrgetter("front")


def _in_order(parts: list[list[Item]]) -> list[Item]:
    return parts[0] if len(parts) == 1 else list(heapq.merge(*parts, key=_time))


def hides(resume: Resume, item: Item) -> bool:
    """True for a record, or the event of a first non-finite value, that a resume has made void.

    >>> hides(Resume(10, 5.0), Record(10, 4.0)), hides(Resume(10, 5.0), Record(10, 6.0))
    (True, False)
    """
    if item.time >= resume.time:
        return False
    if isinstance(item, Record):
        return item.step >= resume.step
    return isinstance(item, Event) and item.kind == "nonfinite" and item.step is not None and item.step >= resume.step
