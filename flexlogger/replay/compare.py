"""Runs side by side: their curves in the same windows, and a table of what differs."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.errors import FlexLoggerError, RunLogError
from flexlogger.plots.base import load
from flexlogger.plots.board import Board
from flexlogger.plots.text import page
from flexlogger.plots.window import Feed, Latest, Window
from flexlogger.records import MeterDef, Panel, PlotDef
from flexlogger.replay.overlay import overlay
from flexlogger.replay.source import Source
from flexlogger.runs.find import FoundRun
from flexlogger.runs.query import MISSING, keys, lookup
from flexlogger.sinks.visdom import Sender, message

TABLE = "runs"
"""The window that holds the table."""
_WIDEST, _HIGH = 900, 330  # pixels of the table's window
_LONGEST = 60  # characters of an environment's name up to which it names all runs


class Comparison(msgspec.Struct, frozen=True):
    """Runs beside each other: `labels` name them, short and apart. `config` holds the settings in which they differ,
    `summary` what they came to: {key: one value a run}, None where a run has none."""

    labels: list[str]
    runs: list[str]
    config: dict[str, list[Any]]
    summary: dict[str, list[Any]]

    def rows(self) -> list[list[Any]]:
        """The table's rows: key, then one value a run."""
        told = [("config", self.config), ("summary", self.summary)]
        return [[f"{part}.{key}", *values] for part, of_part in told for key, values in of_part.items()]

    def window(self) -> Window:
        """The table as a window."""
        table = msgspec.json.encode({"columns": ["", *self.labels], "rows": self.rows()}).decode()
        feed = Feed(MeterDef(TABLE, "", TABLE), "", (), {"": Latest("table", table, 0)})
        plot = PlotDef(TABLE, "table", {"title": "config that differs, and summary"})
        return Window(plot, (feed,), min(_WIDEST, 240 + 110 * len(self.labels)), _HIGH)


def compare(runs: Sequence[FoundRun]) -> Comparison:
    """Return what differs between runs. Raises RunLogError where there are not at least two."""
    if len({run.folder for run in runs}) < 2:
        raise RunLogError(f"compare: expected two runs or more, got {', '.join(run.label for run in runs) or 'none'}")
    config = _side_by_side([run.card.config for run in runs])
    differing = {key: values for key, values in config.items() if any(value != values[0] for value in values)}
    summary = _side_by_side([run.card.summary for run in runs])
    return Comparison(labels(runs), [run.label for run in runs], differing, summary)


def labels(runs: Sequence[FoundRun]) -> list[str]:
    """Return the shortest that tells each run from the others: its name, its id, or project and id."""
    names, ids = Counter(run.name for run in runs), Counter(run.id for run in runs)
    return [run.name if names[run.name] == 1 else run.id if ids[run.id] == 1 else run.label for run in runs]


def _side_by_side(mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(key for mapping in mappings for key in keys(mapping))
    return {name: [_plain(lookup(mapping, name)) for mapping in mappings] for name in names}


def _plain(value: Any) -> Any:
    if value is MISSING:
        return None
    return value if value is None or isinstance(value, (str, int, float)) else msgspec.json.encode(value).decode()


def env_of(runs: Sequence[FoundRun]) -> str:
    """Return the environment that a comparison of these runs has unless another is asked for.

    It is the same for the same runs, and a name that dashboards take.
    """
    ids = [re.sub(r"[^\w.-]", "-", run.id) for run in runs]
    name = "-".join(["compare", *ids])
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.blake2s("\0".join(run.label for run in runs).encode(), digest_size=4).hexdigest()
    return f"compare-{len(runs)}-runs-{digest}"


def windows(
    comparison: Comparison, runs: Sequence[FoundRun], advance: Callable[[int], None] = lambda done: None
) -> list[Window]:
    """Read the runs and return the windows that compare them, the table first. `advance` is told of bytes read."""
    boards = dict(zip(comparison.labels, (_board(run, advance) for run in runs), strict=True))
    return [comparison.window(), *overlay(boards)]


def _board(run: FoundRun, advance: Callable[[int], None]) -> Board:
    board, source, done = Board(), Source(run.folder), 0
    for items in source.read():
        board.write(items)
        advance(source.offset - done)
        done = source.offset
    return board


def send(windows: Sequence[Window], sender: Sender, env: str) -> None:
    """Draw windows in an environment of a dashboard. Raises ServerError."""
    sender.open()
    for window in windows:
        sender.send(message(_panel(window), env, env, window.plot.name))


def _panel(window: Window) -> Panel:
    try:
        return load(window.plot.type).draw(window)
    except Exception as error:
        if not isinstance(error, FlexLoggerError):
            faults.swallow(f"drawing plot {window.plot.name!r}", error)
        return page(window, f"This plot cannot be drawn: {html.escape(str(error))}")
