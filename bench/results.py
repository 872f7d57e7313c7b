"""What a benchmark hands over, and how it is kept: plain data, so that the page can be made again from all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

FOLDER = Path(__file__).resolve().parent / "results"


@dataclass
class Picture:
    """How a table is drawn. Bars: one a row and column of `columns`. Lines: the figures of the one column of `columns`
    over those of the column `over`, a line for each text in the first column of the others."""

    title: str
    unit: str
    columns: list[str]
    over: str = ""


@dataclass
class Table:
    """One table of the page."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    picture: Picture | None = None


@dataclass
class Target:
    """A figure that was to be reached. `reached` is None where this run could not tell."""

    what: str
    to_reach: str
    measured: str
    reached: bool | None


@dataclass
class Result:
    """All that one benchmark found. `how` says what was measured, for readers of the page."""

    name: str
    heading: str
    how: str
    quick: bool
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it took; 0: not known."""
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))

    def save(self) -> None:
        """Keep it in `FOLDER`."""
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(self)))


def load(name: str) -> Result | None:
    """The latest result of a benchmark; None where it has not run."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=Result)
