"""What a run's windows are made of, bounded: thinned lines by (name, x axis), and the latest value of each name."""

from __future__ import annotations

from collections import Counter

import numpy as np

from flexlogger.plots.thinning import Floats
from flexlogger.plots.trace import Trace
from flexlogger.plots.window import Latest
from flexlogger.records import PlotDef
from flexlogger.rows import Rows

MAX_LINES = 1000
"""Lines kept in all; values of further names are counted, and drawn nowhere."""

MOST_POINTS = 480_000
"""Points of all lines together: a browser with many more is no use to anybody."""


class Store:
    """Lines and latest values. `start` is the unix second that the x axis `time` counts hours from."""

    def __init__(self, start: float | None = None) -> None:
        self.start = start
        self.lines: dict[tuple[str, str], Trace] = {}
        self.latest: dict[str, Latest] = {}
        self._asked: dict[tuple[str, str], int] = {}
        self._shared_out = True

    def keep(self, name: str, x: str, plot: PlotDef) -> Trace | None:
        """Return the line of a name over an axis as a plot wants it, made anew where its scale has changed; None where
        there are too many lines already. How many points it has room for is up to `share_out`."""
        key, log, asked = (name, x), plot.opts.get("xtype") == "log", max(4, plot.max_points)
        line = self.lines.get(key)
        if line is None and len(self.lines) >= MAX_LINES:
            return None
        if self._asked.get(key) != asked:
            self._asked[key] = asked
            self._shared_out = False
        if line is None or line.log != log:
            made = Trace(line.max_points if line is not None else asked, log)
            if line is not None:
                made.take_over(line)
            self.lines[key] = line = made
        return line

    def share_out(self) -> None:
        """Give each line room for as many points as it asks for, or as many as leave enough for the others."""
        if self._shared_out:
            return
        self._shared_out = True
        lines, most = Counter(self._asked.values()), MOST_POINTS
        while sum(min(asked, most) * count for asked, count in lines.items()) > MOST_POINTS:
            most //= 2
        for key, line in self.lines.items():
            room = min(self._asked[key], most)
            if line.max_points != room:
                line.resize(room)

    def drop_lines(self, keep: set[tuple[str, str]]) -> None:
        """Forget the lines that no window holds any more."""
        self.lines = {key: line for key, line in self.lines.items() if key in keep}
        self._asked = {key: asked for key, asked in self._asked.items() if key in keep}
        self._shared_out = False

    def along(self, rows: Rows, x: str) -> Floats:
        """Return where the rows stand on an axis: their step, the hours since the start, or a meter's last value.

        Rows before the meter's first value are NaN, which a line drops and counts.
        """
        if x == "step":
            return rows.steps
        if x == "time":
            return self.hours(rows.times)
        if x in rows.names:
            column: Floats = rows.columns[rows.names.index(x)]
            return column
        last = self.latest.get(x)
        before = last.value if last is not None and isinstance(last.value, float) else np.nan
        return np.full(len(rows.steps), before)

    def hours(self, times: Floats) -> Floats:
        """Return hours since the run's start."""
        if self.start is None:
            self.start = float(times[0])
        return (times - self.start) / 3600
