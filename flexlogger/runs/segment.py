"""One process's own file of a run: the writer that appends to it, the reader that survives whatever happened to it."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.records import Definition, End, Event, Item, Record
from flexlogger.runs import format as lines
from flexlogger.runs.appending import AppendFile
from flexlogger.runs.blobs import BlobStore
from flexlogger.runs.encoding import LineEncoder

READ_BYTES = 1 << 17
"""Read at a time: what is made of it stays in the processor's cache (a quarter faster than a megabyte)."""
_SEGMENT = re.compile(r".+-.+-.+-.+\.jsonl")


class SegmentWriter:
    """Appends items to a new segment file of `run_dir`.

    `append` encodes, `commit` writes; what a refusing disk did not take stays buffered, and the next `commit` goes on
    at exactly that byte, so a live process never leaves a torn line in the middle. Everything before `offset` has
    passed write(2): it survives SIGKILL of the process.

    The file is made by the first `commit`, so a run that logs nothing leaves none. Where it is deleted while it is
    written, it is made again within a second of the next `commit`, told once, and what was in it counted in `lost`.
    Events are written without what looks like a secret.
    """

    def __init__(
        self,
        run_dir: Path,
        run: str,
        *,
        rank: int = 0,
        project: str = "",
        env: str = "",
        uid: str = "",
        resume: lines.Resume | None = None,
        fsync: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.run_dir = run_dir
        self.lost = 0
        """Lines that were written and then deleted by somebody else."""
        self._first_q = 0  # in the file
        start = clock()
        host = re.sub(r"[^\w.]", "_", socket.gethostname()) or "host"
        name = f"{host}-{os.getpid()}-{int(start * 1000)}-{secrets.token_hex(3)}"
        header = lines.Header(lines.VERSION, run, name, host, os.getpid(), rank, start, project, env, uid, resume)
        self._header = lines.seal(lines.encode_json(header))
        self._encoder = LineEncoder(BlobStore(run_dir / "blobs", sync=fsync is not None))
        self._file = AppendFile(run_dir / f"{name}.jsonl", fsync, clock)
        self._file.buffer += self._header

    @property
    def path(self) -> Path:
        """Where the segment is."""
        return self._file.path

    @property
    def offset(self) -> int:
        """Bytes that the disk has taken."""
        return self._file.offset

    @property
    def pending(self) -> int:
        """Lines encoded but not yet taken whole by the disk."""
        return self._file.buffer.count(b"\n")

    @property
    def used(self) -> bool:
        """True once an item was appended; a run that logs nothing leaves no file."""
        return self._encoder.next_q > 0

    @property
    def unencodable(self) -> int:
        """Items left out because they cannot be encoded."""
        return self._encoder.unencodable

    def append(self, items: Sequence[Item]) -> int:
        """Encode items in order and return how many: fewer than given where a blob could not be stored.

        Raises OSError where that is the first of them; nothing is then appended, and the call can be repeated. An item
        that cannot be encoded at all is left out and counted in `unencodable`.
        """
        return self._encoder.encode(items, self._file.buffer)

    def commit(self) -> None:
        """Write what is buffered. Raises OSError where the disk refuses; what it took is not written twice."""
        self._file.commit()
        if self._file.was_removed():
            self._tell_removed("; a new file in its place takes what comes")
            self._begin_again()

    def _tell_removed(self, then: str = "") -> None:
        lost = self._encoder.next_q - self._first_q if self._file.is_deleted() else 0
        what = f"was deleted while it was written, with {lost} lines" if lost else "was moved while it was written"
        faults.log.warning("flexlogger: %s %s%s", self.path, what, then)
        self.lost += lost

    def _begin_again(self) -> None:
        """Make the file again, with what is in force; its numbers go on, so that readers count what is missing."""
        self._file.start_over(self._header)
        self._first_q = self._encoder.next_q
        for item in self._encoder.opening.items():
            self._encoder.encode_one(item, self._file.buffer)
        self._file.commit()

    def close(self) -> None:
        """Release the file; what a refusing disk left buffered is lost."""
        if self._file.was_removed(now=True):
            self._tell_removed()
        self._file.close()


class Damage(msgspec.Struct):
    """What a reader had to skip: `torn` last line cut short, `damaged` lines, `missing` numbers in the sequence,
    `blobs` whose file is gone or changed."""

    torn: int = 0
    damaged: int = 0
    missing: int = 0
    blobs: int = 0

    def __bool__(self) -> bool:
        return any(msgspec.structs.astuple(self))

    def __add__(self, other: Damage) -> Damage:
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Damage(*(a + b for a, b in pairs))

    def __str__(self) -> str:
        counts = [f"{count} {name}" for name, count in msgspec.structs.asdict(self).items() if count]
        return ", ".join(counts) or "none"


class SegmentReader:
    """Reads a segment from byte `offset` on, again and again while it grows.

    A line without its newline is left for the next `read`: it may still be written. `finish` counts it as torn.
    Without `data`, values that are not scalars are passed over.

    Example:
        reader = SegmentReader(path)
        while items := reader.read():
            ...
        print(reader.finish())
    """

    def __init__(self, path: Path, offset: int = 0, *, data: bool = True) -> None:
        self.path = path
        self.offset = offset
        self.header: lines.Header | None = None
        self.damage = Damage()
        self._blobs = BlobStore(path.parent / "blobs") if data else None
        self._expected_q: int | None = 0 if offset == 0 else None
        self._damaged_here = 0

    def read(self, max_bytes: int = READ_BYTES, until: int | None = None) -> list[Item]:
        """Return the next items, at most about `max_bytes` of them and none past byte `until`; empty at the end."""
        items, went_on = self._read_chunk(max_bytes, until)
        while went_on and not items:
            items, went_on = self._read_chunk(max_bytes, until)
        return items

    def _read_chunk(self, max_bytes: int, until: int | None) -> tuple[list[Item], bool]:
        size = max_bytes if until is None else min(max_bytes, until - self.offset)
        if size <= 0:
            return [], False
        with self.path.open("rb") as file:
            file.seek(self.offset)
            chunk = file.read(size)
            if chunk and b"\n" not in chunk:
                chunk += file.readline()  # one line longer than the chunk
        end = chunk.rfind(b"\n") + 1
        start = chunk.find(b"\n") + 1 if self.offset == 0 else 0
        items = self._line_by_line(chunk[:start]) + self._items(chunk[start:end])
        self.offset += end
        return items, end > 0

    def _items(self, chunk: bytes) -> list[Item]:
        """The items of whole lines, all at once where nothing is wrong with any."""
        found = lines.decode_lines(chunk)
        if not found:
            return self._line_by_line(chunk)
        first = found[0].q if self._expected_q is None else self._expected_q
        if [line.q for line in found] != list(range(first, first + len(found))):
            return self._line_by_line(chunk)
        self._expected_q, self._damaged_here = first + len(found), 0
        values: Callable[[lines.Line], Any] = lines.values_of
        if b'"NaN"' not in chunk and b'Infinity"' not in chunk:
            values = attrgetter("v")  # floats already
        rebuilt = [Record(line.s, line.t, values(line)) if line.v else self._rebuild(line) for line in found]
        return [item for item in rebuilt if item is not None]

    def _line_by_line(self, chunk: bytes) -> list[Item]:
        return [item for line in chunk.split(b"\n")[:-1] if (item := self._item(line)) is not None]

    def finish(self) -> Damage:
        """Count an unfinished last line as torn and return what was skipped in all."""
        self.damage.torn = int(self.path.stat().st_size > self.offset)
        return self.damage

    def _item(self, line: bytes) -> Item | None:
        try:
            if line.startswith(b'{"flexlogger":'):
                self.header = lines.decode_header(line)
                return None
            parsed = lines.decode_line(line)
        except lines.DamagedLineError:
            self.damage.damaged += 1
            self._damaged_here += 1
            return None
        if self._expected_q is not None:  # a damaged line leaves a gap too; it is counted once
            self.damage.missing += max(0, parsed.q - self._expected_q - self._damaged_here)
        self._expected_q = parsed.q + 1
        self._damaged_here = 0
        return self._rebuild(parsed)

    def _rebuild(self, line: lines.Line) -> Item | None:
        if line.v is not None:
            return Record(line.s, line.t, lines.values_of(line))
        if line.d is not None:
            if self._blobs is None:
                return None
            try:
                return Record(line.s, line.t, {}, (self._blobs.get(line.d),))
            except (OSError, ValueError, TypeError):  # gone, changed, or of a type that numpy does not know
                self.damage.blobs += 1
                return None
        if line.definition is not None:
            body = line.definition
            return Definition(line.t, body.plots, body.meters, body.layout)
        if line.ev is not None:
            return Event(line.t, line.ev.kind, line.ev.info, line.ev.step)
        return End(line.t, line.end) if line.end is not None else None  # None: of a kind that came after this version


def read_header(path: Path) -> lines.Header | None:
    """The header of a segment; None where its first line is not yet whole. Raises OSError, and DamagedLineError."""
    with path.open("rb") as file:
        line = file.readline()
    return lines.decode_header(line[:-1]) if line.endswith(b"\n") else None


def segments(run_dir: Path) -> list[Path]:
    """The segment files of a run, oldest first; none where there is no such folder. Raises OSError."""
    try:
        with os.scandir(run_dir) as entries:
            paths = [run_dir / entry.name for entry in entries if _SEGMENT.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(paths, key=lambda path: (start_of(path), path.name))


def start_of(path: Path) -> float:
    """A segment's start in unix seconds, from its name; 0 for a file that only looks like a segment."""
    start = path.stem.split("-")[-2]
    return int(start) / 1000 if start.isdecimal() else 0.0
