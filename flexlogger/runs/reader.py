"""A run's folder read from Python: its card, its items, its curves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flexlogger.errors import RunLogError, UnknownNameError, unknown
from flexlogger.records import Item, Record
from flexlogger.runs.card import Card, read_card, status_of
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.segment import Damage, segments
from flexlogger.runs.tail import Batch, Tail


class Series(NamedTuple):
    """One curve: float64 arrays of equal length, steps ascending, each step once with the value logged last."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]


class RunReader:
    """Reads the run in `folder`, whether it has ended or is still written. Raises RunLogError where there is none.

    >>> import tempfile
    >>> from flexlogger.runs.segment import SegmentWriter
    >>> folder = Path(tempfile.mkdtemp())
    >>> writer = SegmentWriter(folder, "digits")
    >>> writer.append([Record(step, 0.0, {"loss": 1 / (1 + step)}) for step in (0, 1, 3)])
    3
    >>> writer.commit()
    >>> run = RunReader(folder)
    >>> run.names()
    ['loss']
    >>> run.series("loss").values
    array([1.  , 0.5 , 0.25])
    >>> run.summary
    {'loss': 0.25}
    """

    def __init__(self, folder: str | Path, ranks: Literal["first", "all"] = "first") -> None:
        self.folder = Path(folder)
        self.problems: list[str] = []
        """What could not be read, a line for each file."""
        self._ranks: Literal["first", "all"] = ranks
        self._tail = self._followed = self._open()
        if read_card(self.folder) is None and not (self.folder.is_dir() and segments(self.folder)):
            raise RunLogError(f"{self.folder} is not a run: expected a folder with run.json or segments (*.jsonl)")

    # ---- what is known of the run

    @property
    def card(self) -> Card:
        """What `run.json` says now; made from the whole log where there is none that can be read."""
        card = read_card(self.folder)
        if card is None:
            ledger = Ledger()
            for batch in self._open(data=False).read():
                ledger.write(batch.items)
            card = ledger.card()
            card.id, card.project = card.id or self.folder.name, card.project or self.folder.parent.name
        return card

    @property
    def config(self) -> dict[str, Any]:
        """The hyper-parameters."""
        return self.card.config

    @property
    def summary(self) -> dict[str, Any]:
        """What the run came to, by the rules of `define_metric`: the last value of each name without one."""
        return self.card.summary

    @property
    def ended(self) -> str | None:
        """`finished` or `crashed`; None while the run goes on."""
        status = status_of(self.card, time.time())
        return None if status == "running" else status

    @property
    def damage(self) -> Damage:
        """What the last reading had to skip, in all segments."""
        return self._tail.damage

    # ---- what was logged

    def read(self) -> Iterator[Batch]:
        """Follow: all items at the first call, then at each call what is new, in batches that know their rank.

        Look at `rewound` after each: the run may have been taken up again at an earlier step.
        """
        self._tail = self._followed
        return self._followed.read()

    @property
    def rewound(self) -> bool:
        """True once what `read` gave may hold points that a resume has hidden since: start over with a new reader."""
        return self._followed.rewound

    def items(self) -> Iterator[Item]:
        """All items from the beginning, in order of time."""
        self._tail = self._open()
        for batch in self._tail.read():
            yield from batch.items

    def names(self) -> list[str]:
        """The names of all scalars, in the order in which they were first logged."""
        seen: dict[str, None] = {}
        for records in self._records():
            for record in records:
                if not seen.keys() >= record.values.keys():
                    seen.update(dict.fromkeys(record.values))
        return list(seen)

    def series(self, name: str) -> Series:
        """The curve of one scalar. Raises UnknownNameError with the nearest name where it was never logged."""
        curves = self.curves()
        if name not in curves:
            raise UnknownNameError(f"{self.folder.name}: {unknown('series', name, curves)}")
        return curves[name]

    def curves(self) -> dict[str, Series]:
        """The curves of all scalars, in one reading of the log.

        Example:
            pandas.DataFrame({name: pandas.Series(s.values, s.steps) for name, s in reader.curves().items()})
        """
        gathered: dict[str, list[NDArray[np.float64]]] = {}
        count = 0
        for records in self._records():
            for names, block in _blocks(records, count):
                for name, values in zip(names, block[2:], strict=True):
                    gathered.setdefault(name, []).append(np.stack([block[0], block[1], values]))
            count += len(records)
        return {name: _series(np.concatenate(parts, axis=1)) for name, parts in gathered.items()}

    def _records(self) -> Iterator[list[Record]]:
        self._tail = self._open(data=False)
        for batch in self._tail.read():
            yield [item for item in batch.items if type(item) is Record and item.values]

    def _open(self, data: bool = True) -> Tail:
        return Tail(self.folder, ranks=self._ranks, data=data, tell=self._problem)

    def _problem(self, message: str) -> None:
        if message not in self.problems:
            self.problems.append(message)


def _blocks(records: Iterable[Record], count: int) -> Iterator[tuple[tuple[str, ...], NDArray[np.float64]]]:
    """Records of equal names as rows of an array: their place in the log from `count` on, their step, each value."""
    groups: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
    for place, record in enumerate(records, count):
        groups.setdefault(tuple(record.values), []).append((place, record.step, *record.values.values()))
    for names, group in groups.items():
        yield names, np.array(group, np.float64).T


def _series(points: NDArray[np.float64]) -> Series:
    places, steps, values = points
    order = np.lexsort((places, steps))
    steps, values = steps[order], values[order]
    newest = np.append(steps[1:] != steps[:-1], True)  # of each step
    return Series(steps[newest], values[newest])
