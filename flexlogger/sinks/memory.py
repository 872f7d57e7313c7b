"""A sink that keeps everything in memory: for tests, notebooks and users' own checks."""

from __future__ import annotations

from collections.abc import Sequence

from flexlogger.records import Item, Panel, Record


class MemorySink:
    """Keeps all items, and a board that can draw any panel without a server.

    >>> sink = MemorySink()
    >>> sink.write([Record(0, 0.0, {"loss": 0.5}), Record(1, 0.1, {"loss": 0.25})])
    >>> sink.series("loss")
    [(0, 0.5), (1, 0.25)]
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.flushes = 0
        self.closed = False

    def write(self, batch: Sequence[Item]) -> None:
        """Keep a batch."""
        self.items.extend(batch)

    def flush(self) -> None:
        """Count the flush."""
        self.flushes += 1

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    @property
    def records(self) -> list[Record]:
        """The records, in log order."""
        return [item for item in self.items if isinstance(item, Record)]

    def series(self, name: str) -> list[tuple[float, float]]:
        """The (step, value) pairs logged under a name."""
        return [(record.step, record.values[name]) for record in self.records if name in record.values]

    def panel(self, plot: str) -> Panel:
        """The panel of a plot as a dashboard would be sent it now."""
        from flexlogger.plots.board import Board  # only those who look at panels need the plots

        board = Board()
        board.write(self.items)
        return board.panel(plot)
