"""Windows of several runs laid over each other: the same plot of all of them in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from flexlogger.plots.board import Board
from flexlogger.plots.style import DASHES, PALETTE
from flexlogger.plots.window import Feed, Window

TOGETHER = ("line", "bar", "curve", "histogram")
"""Plot types that tell several meters apart in one window; of the others each run has a window of its own."""
_OF_ONE_RUN = ("env", "legend")  # options that make no sense here


class _Part(NamedTuple):
    """A run's window of one plot; `run` is the run's place among all that are compared."""

    run: int
    label: str
    window: Window


def overlay(boards: Mapping[str, Board]) -> list[Window]:
    """Return the windows of runs, given by label, with the same plots in the same windows.

    What is drawn is named `meter@label`. Lines of one run share a colour, which is the same in all windows; meters
    differ by dash. Curves, bars and histograms have a colour each.
    """
    parts: dict[tuple[str, str], list[_Part]] = {}
    for run, (label, board) in enumerate(boards.items()):
        for plot in board.windows():
            window = board.window(plot)
            parts.setdefault((plot, window.plot.type), []).append(_Part(run, label, window))
    names = [plot for plot, _ in parts]
    windows = []
    for (plot, kind), of_plot in parts.items():
        name = plot if names.count(plot) == 1 else f"{plot} ({kind})"
        if kind in TOGETHER:
            windows.append(_together(name, of_plot))
        else:
            windows += [_apart(name, part) for part in of_plot]
    return windows


def _together(name: str, parts: Sequence[_Part]) -> Window:
    first = parts[0].window
    lines = {line.name: None for part in parts for feed in part.window.feeds for line in feed.lines}
    meters = {feed.meter.name: None for part in parts for feed in part.window.feeds}
    looks = _Looks(list(lines), list(meters))
    feeds = tuple(looks.of(feed, part) for part in parts for feed in part.window.feeds)
    return msgspec.structs.replace(_named(first, name, first.title), feeds=feeds)


def _apart(name: str, part: _Part) -> Window:
    return _named(part.window, f"{name}@{part.label}", f"{part.window.title} · {part.label}")


def _named(window: Window, name: str, title: str) -> Window:
    opts = {key: value for key, value in window.plot.opts.items() if key not in _OF_ONE_RUN}
    plot = msgspec.structs.replace(window.plot, name=name, opts=opts | {"title": title})
    return msgspec.structs.replace(window, plot=plot)


class _Looks:
    """The looks of one window: its lines and its meters, by name, have the same place in every run."""

    def __init__(self, lines: Sequence[str], meters: Sequence[str]) -> None:
        self._lines = {name: place for place, name in enumerate(lines)}
        self._meters = {name: place for place, name in enumerate(meters)}

    def of(self, feed: Feed, part: _Part) -> Feed:
        """Return a run's meter as it stands among those of other runs."""
        again, color = divmod(part.run, len(PALETTE))
        lines = tuple(
            msgspec.structs.replace(
                line,
                name=f"{line.name}@{part.label}",
                color=PALETTE[color],
                dash=DASHES[(again * len(self._lines) + self._lines[line.name]) % len(DASHES)],
            )
            for line in feed.lines
        )
        place = part.run * len(self._meters) + self._meters[feed.meter.name]
        own = PALETTE[color] if lines else PALETTE[place % len(PALETTE)]
        meter = msgspec.structs.replace(feed.meter, name=f"{feed.meter.name}@{part.label}")
        return msgspec.structs.replace(feed, meter=meter, color=own, lines=lines)
