"""From a run's log to the file of its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from flexlogger import faults
from flexlogger.errors import RunLogError
from flexlogger.plots.board import Board
from flexlogger.replay.source import Source
from flexlogger.report.page import page, plotly
from flexlogger.report.panes import Pane, pane
from flexlogger.runs.files import write_whole
from flexlogger.runs.find import FoundRun
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.segment import Damage

Advance = Callable[[int], None]


def write_report(
    found: FoundRun,
    path: Path,
    advance: Advance = lambda done: None,
    tell: Callable[[str], None] = faults.log.warning,
) -> list[Pane]:
    """Write the report of a run to `path`, whole or not at all; return its panes in their order on the page.

    `advance` is told how many bytes of the log were read since it was last called, `tell` of what cannot be read.
    Raises RunLogError where the file cannot be written or the dashboard's plotly.js was not fetched.

    Example:
        write_report(find_run("latest", base_dir()), Path("report.html"))
    """
    plotly()  # say what is missing before the log is read
    board, ledger, source, done = Board(), Ledger(), Source(found.folder, tell), 0
    for items in source.read():
        board.write(items)
        if found.rebuilt:
            ledger.write(items)
        advance(source.offset - done)
        done = source.offset
    panes = [pane(number, board.panel(plot)) for number, plot in enumerate(board.windows(), 1)]
    try:
        write_whole(path, page(_whole(found, ledger), _damage(found, source), panes).encode(errors="replace"))
    except OSError as error:
        raise RunLogError(f"{path}: cannot write the report ({error.strerror or error})") from error
    return panes


def _whole(found: FoundRun, ledger: Ledger) -> FoundRun:
    """The run with what its log tells of config and results, where there is no `run.json` that does."""
    if not found.rebuilt:
        return found
    told = ledger.card()
    card = msgspec.structs.replace(found.card, config=told.config, summary=told.summary, last_step=told.last_step)
    return msgspec.structs.replace(found, card=card)


def _damage(found: FoundRun, source: Source) -> Damage:
    """What is damaged; the last line of a run that goes on is only being written."""
    running = found.status == "running"
    return msgspec.structs.replace(source.damage, torn=0) if running else source.damage
