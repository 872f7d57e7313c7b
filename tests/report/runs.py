"""Makes runs on disk for reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from flexlogger.records import End, Item, Record
from flexlogger.runs.card import Card, write_card
from flexlogger.runs.segment import SegmentWriter

START, END = 1_763_659_872.0, 1_763_663_500.0


def run(base: Path, id: str, items: Sequence[Item], *, card: bool = True, **facts: Any) -> Path:
    """Write a run that has ended; without `card` its `run.json` is missing."""
    folder = base / "default" / id
    folder.mkdir(parents=True)
    writer = SegmentWriter(folder, id)
    assert writer.append([*map(_plain, items), End(END)]) == len(items) + 1
    writer.commit()
    if card:
        told = {"id": id, "project": "default", "status": "finished", "start": START, "end": END}
        write_card(folder, Card(**(told | facts)))
    return folder


def _plain(item: Item) -> Item:
    """Numbers of numpy's are none that a logger sends."""
    if not isinstance(item, Record):
        return item
    values = {name: float(value) for name, value in item.values.items()}
    return msgspec.structs.replace(item, values=values)


def ink(picture: bytes) -> float:
    """The share of a PNG's pixels that are not white."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    return float((pixels < 245).any(axis=2).mean())
