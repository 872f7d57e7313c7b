"""The card of a run whose process died: written by whoever outlives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from flexlogger.records import Item
from flexlogger.runs.card import Card, read_card, write_card
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.processes import Process

_AROUND = ("host", "boot", "pid", "pid_start", "git", "python", "platform", "libraries", "command")


class Obituary:
    """A sink that knows the card as the log tells it, and writes nothing until it is told that the process is gone."""

    def __init__(self, folder: Path, of: Process, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._of = of
        self._clock = clock
        self._ledger = Ledger()

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order."""
        self._ledger.write(batch)

    def flush(self) -> None:
        """The card is the trainer's while it lives."""

    def close(self) -> None:
        """Nothing is held open."""

    def publish(self) -> bool:
        """Write the card: as the log ends, which without an end means that the run crashed. False where it had ended
        in order and its card says so. Raises OSError."""
        known = read_card(self._folder)
        if known is not None and known.status != "running":
            return False
        end, card = self._ledger.end, self._ledger.card()
        around = known if known is not None else Card(**msgspec.structs.asdict(self._of))
        card = msgspec.structs.replace(card, **{name: getattr(around, name) for name in _AROUND})
        card.id = card.id or self._folder.name
        card.end = end.time if end is not None else card.beat
        card.status = end.status if end is not None else "crashed"
        card.beat = self._clock()
        write_card(self._folder, card)
        return True
