"""A card made from the log where `run.json` is missing or damaged: from both ends of each segment, however long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flexlogger.runs.card import Card
from flexlogger.runs.format import DamagedLineError, Line, decode_line
from flexlogger.runs.segment import read_header, segments, start_of

EDGE_BYTES = 1 << 16
"""What is read of a segment's start, and of its end."""


def rebuild_card(folder: Path) -> Card | None:
    """Return what the log in `folder` tells at its ends: who wrote it, what was told of the run, its newest values.

    The summary holds the newest value of each name in what is read. Names logged only before that are missing, and so
    is what takes the whole log, such as a minimum. None where there is no segment.
    """
    paths = segments(folder)
    if not paths:
        return None
    card = Card(id=folder.name, project=folder.parent.name, name=folder.name, start=start_of(paths[0]), resumed=-1)
    for path in paths:
        try:
            _add(card, path)
        except (OSError, DamagedLineError):
            continue  # a card is made of what can be read
    card.resumed = max(0, card.resumed)
    card.end = None if card.status == "running" else card.beat
    return card


def _add(card: Card, path: Path) -> None:
    card.beat = max(card.beat, path.stat().st_mtime)
    header = read_header(path)
    if header is None or header.rank:
        return
    ended = None
    for line in _edges(path):
        ended = line.end
        _tell(card, line)
    if ended == "forked":
        return
    card.resumed += 1
    card.status = ended or "running"
    card.host, card.pid = header.host, header.pid
    card.env, card.uid = header.env or card.env, header.uid or card.uid


def _edges(path: Path) -> Iterator[Line]:
    """The whole lines at the start and the end of a segment; what is damaged, or cut by where we look, is left out."""
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
        except DamagedLineError:
            continue


def _tell(card: Card, line: Line) -> None:
    if line.v is not None:
        card.summary |= line.v
        card.last_step = line.s if card.last_step is None else max(line.s, card.last_step)
    elif line.ev is not None:
        _event(card, line.ev.kind, line.ev.info)


def _event(card: Card, kind: str, info: dict[str, Any]) -> None:
    if kind == "run":
        for key in ("name", "tags", "notes", "config", "url"):
            setattr(card, key, info.get(key) or getattr(card, key))
    elif kind == "config":
        card.config |= info.get("set", {})
    elif kind == "summary":
        gone = info.get("delete", ())
        card.summary = {k: v for k, v in card.summary.items() if k not in gone} | info.get("set", {})
