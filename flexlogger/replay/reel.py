"""A run that may be taken up again, as a view reads it and shows it: from the beginning then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flexlogger import faults
from flexlogger.records import End, Item
from flexlogger.replay.source import Source
from flexlogger.runs.segment import Damage
from flexlogger.runs.tail import Batch
from flexlogger.sinks.base import Sink


class Reel:
    """A run's items as a view's tail: all there is, then what is new, from the beginning where the run was taken up
    again. `rewind` is called then."""

    def __init__(self, folder: Path, rewind: Callable[[], None]) -> None:
        self.damage = Damage()
        self.ended = False
        """True where the last thing that was read is an end."""
        self._folder = folder
        self._rewind = rewind
        self._tell = faults.Once()
        self._source: Source | None = None

    def read(self) -> Iterator[Batch]:
        """Hand over what was not yet read. Raises no error."""
        if self._source is not None and self._source.outdated:
            self._source = None
            self._rewind()
        if self._source is None:
            self._source = Source(self._folder, self._tell)
        for items in self._source.read():
            self.ended = isinstance(items[-1], End) if items else self.ended
            yield Batch(0, list(items))
        self.damage = self._source.damage


class AsItIs:
    """The stage of items that are as they are to be shown already."""

    def take(self, items: Sequence[Item], rank: int = 0, own: bool = False) -> Sequence[Item]:
        """Return them."""
        return items


class Screen:
    """A sink that is made when the first items come, for they say in which windows they are drawn; again after each
    `rewind`. Both are called by the view's thread."""

    def __init__(self, make: Callable[[], Sink]) -> None:
        self._make = make
        self._sink: Sink | None = None

    def rewind(self) -> None:
        """Forget everything."""
        self.close()
        self._sink = None

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order."""
        self._sink = self._sink or self._make()
        self._sink.write(batch)

    def flush(self) -> None:
        """Show what has changed."""
        if self._sink is not None:
            self._sink.flush()

    def close(self) -> None:
        """Let go of it."""
        if self._sink is not None:
            self._sink.close()
