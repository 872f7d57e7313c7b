"""A card made from the log where `run.json` is missing or damaged: from both ends of each segment, however long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from flexlogger.records import End, Event, Item, Record
from flexlogger.runs.card import Card
from flexlogger.runs.format import DamagedLineError, Header, Line, decode_line, values_of
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.segment import read_header, segments, start_of

EDGE_BYTES = 1 << 16
"""What is read of a segment's start, and of its end."""


def rebuild_card(folder: Path) -> Card | None:
    """Return what the log in `folder` tells at its ends: who wrote it, what was told of the run, its newest values.

    Of segments longer than what is read, the summary is no more than the newest values: names logged only in between
    are missing, and so is what takes the whole log, such as a minimum. None where there is no segment.
    """
    paths = segments(folder)
    if not paths:
        return None
    ledger = Ledger()
    found: list[tuple[Path, Header]] = []
    beat, whole = 0.0, True
    for path in paths:
        try:
            beat = max(beat, path.stat().st_mtime)
            whole = whole and path.stat().st_size <= 2 * EDGE_BYTES
            header = read_header(path)
        except (OSError, DamagedLineError):
            continue  # a card is made of what can be read
        if header is not None:
            found.append((path, header))
    first = min((header.rank for _, header in found), default=0)  # not 0 where its log is on another machine
    headers: list[Header] = []
    for path, header in found:
        with suppress(OSError, DamagedLineError):
            if header.rank == first:
                ledger.write(list(_items(path)))
                headers.append(header)
    return _card(ledger, folder, start_of(paths[0]), beat, headers, whole)


def _card(ledger: Ledger, folder: Path, start: float, beat: float, headers: list[Header], whole: bool) -> Card:
    card = ledger.card()
    card.id, card.project, card.start, card.beat = folder.name, folder.parent.name, start, beat
    card.name = card.name or card.id
    if headers:
        last = headers[-1]
        card.host, card.env, card.uid = last.host, card.env or last.env, card.uid or last.uid
    if not whole:
        card.summary = {name: _newest(entry) for name, entry in card.summary.items() if _newest(entry) is not None}
    return card


def _newest(entry: Any) -> Any:
    return entry.get("last") if isinstance(entry, dict) else entry


def _items(path: Path) -> Iterator[Item]:
    """What the lines at both ends of a segment say, but for values in blobs and what is drawn; damage is left out."""
    for line in _edges(path):
        if line.v is not None:
            yield Record(line.s, line.t, values_of(line))
        elif line.ev is not None:
            yield Event(line.t, line.ev.kind, line.ev.info, line.ev.step)
        elif line.end is not None:
            yield End(line.t, line.end)


def _edges(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        read = file.read(EDGE_BYTES)
        size = path.stat().st_size
        if size > 2 * EDGE_BYTES:
            file.seek(size - EDGE_BYTES)
            read += b"\n"
        read += file.read(size - file.tell())
    for line in read.split(b"\n"):
        try:
            yield decode_line(line)
        except DamagedLineError:  # also what is cut by where we look
            continue
