"""Makes runs on disk without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexlogger.records import End, Event, Item, Record
from flexlogger.runs.card import Card, write_card
from flexlogger.runs.segment import SegmentWriter

START = 1_763_659_872.0


def records(values: dict[str, Sequence[float]], start: float = START) -> list[Item]:
    """One record a step: the first values of all names, the second ones …"""
    length = max(map(len, values.values()))
    return [
        Record(step, start + step, {name: float(of[step]) for name, of in values.items() if step < len(of)})
        for step in range(length)
    ]


def write_segment(folder: Path, items: Sequence[Item], **header: Any) -> Path:
    """A segment as a process leaves it."""
    writer = SegmentWriter(folder, folder.name, **header)
    writer.append(items)
    writer.commit()
    writer.close()
    return writer.path


def make_run(
    base: Path,
    id: str = "r",
    project: str = "default",
    items: Sequence[Item] = (),
    *,
    ended: str | None = "finished",
    **card: Any,
) -> Path:
    """A run with a log of `items` and a card of `card`; without `ended` it looks as if it were cut off."""
    folder = base / project / id
    ending = [End(START + 1e4, ended)] if ended else []
    told = {key: card[key] for key in ("name", "tags", "notes", "config") if key in card}
    write_segment(folder, [Event(START, "run", {"id": id, "project": project, **told}), *items, *ending])
    facts = {"name": id, "start": START, "beat": START, "status": ended or "running", **card}
    write_card(folder, Card(id=id, project=project, **facts))
    return folder
