"""Runs small training scripts in processes of their own and reads what they left behind."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from flexlogger.records import Datum, End, Item, Record
from flexlogger.runs.segment import Damage, SegmentReader, segments
from tests import warm
from tests.processes import Process


class Segment:
    """What one process wrote."""

    def __init__(self, path: Path) -> None:
        reader = SegmentReader(path)
        self.items: list[Item] = []
        while items := reader.read():
            self.items += items
        self.damage: Damage = reader.finish()
        assert reader.header is not None
        self.pid = reader.header.pid

    def series(self, name: str) -> list[tuple[float, float]]:
        return [(r.step, r.values[name]) for r in self.items if isinstance(r, Record) and name in r.values]

    def data(self, name: str) -> list[Datum]:
        return [d for r in self.items if isinstance(r, Record) for d in r.data if d.name == name]

    @property
    def status(self) -> str | None:
        last = self.items[-1] if self.items else None
        return last.status if isinstance(last, End) else None


def read_run(folder: Path) -> list[Segment]:
    return [Segment(path) for path in segments(folder)]


def start(script: str, folder: Path, *arguments: object, **options: Any) -> Process:
    """Start a script with arguments; it may use `FOLDER` for its runs."""
    return warm.start(f"FOLDER = {str(folder)!r}\n" + textwrap.dedent(script), *arguments, **options)


def run(script: str, folder: Path, status: int = 0) -> tuple[list[Segment], str]:
    """Run a script to its end; return what it logged and what it printed on standard error."""
    process = start(script, folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    return read_run(folder / "default" / "r"), errors
