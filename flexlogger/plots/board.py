"""The state of all windows of a run: log items in, panels out."""

from __future__ import annotations

import html
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from flexlogger import faults
from flexlogger.errors import FlexLoggerError
from flexlogger.plots.assembly import Colors, assemble, settle, size_of
from flexlogger.plots.base import load
from flexlogger.plots.routing import Route, Router
from flexlogger.plots.store import MAX_LINES, Store
from flexlogger.plots.text import page
from flexlogger.plots.thinning import Floats
from flexlogger.plots.trace import Trace
from flexlogger.plots.window import Latest, Window, shape_problem
from flexlogger.records import Datum, Definition, End, Event, Item, Kind, Panel, Record
from flexlogger.rows import Rows

log = logging.getLogger("flexlogger")

MAX_NOTES = 100
MAX_NAMES = 10_000
"""Names routed in all, drawn or not."""
LINES_OF_A_VECTOR = 32
"""Entries up to which a vector is a line each; a longer one is drawn as bars of its latest value."""


class Board:
    """Takes log items in order and knows every window they make up, in bounded memory.

    Nothing that a log holds makes `write` raise: what cannot be drawn is counted in `notes` and warned of once. Every
    change of a window raises its version; a window is dirty until the version that was sent is the one it has.

    >>> board = Board()
    >>> board.write([Record(0, 0.0, {"loss": 0.5}), Record(1, 0.1, {"loss": 0.25})])
    >>> board.dirty()
    ['loss']
    >>> board.panel("loss").data[0]["y"]
    [0.5, 0.25]
    >>> board.mark_clean("loss", board.version("loss"))
    >>> board.dirty()
    []
    """

    def __init__(self, start: float | None = None) -> None:
        self.notes: Counter[str] = Counter()
        """What could not be drawn or understood, and how often."""
        self.events: Counter[str] = Counter()
        """Events seen, by kind."""
        self.nonfinite: dict[str, dict[str, Any]] = {}
        """The first value of each name that was not finite, and its step, as the log tells them."""
        self.ended: str | None = None
        """The status of the last `End`."""
        self._router = Router()
        self._store = Store(start)
        self._colors: dict[str, Colors] = {}
        self._versions: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._routes: dict[tuple[str, Kind], tuple[Route, Trace | None] | None] = {}
        self._names: dict[str, dict[str, Kind]] = {}
        """The outputs seen, with their kind, by meter: they are drawn in the order in which they turned up."""
        self._unsettled: set[str] = set()
        """Plots that something new has turned up in, and that has no colour yet."""

    def write(self, items: Sequence[Item]) -> None:
        """Take items in log order."""
        if isinstance(items, Rows):
            self._rows(items)
            return
        group: list[Record] = []
        names: tuple[str, ...] = ()
        for item in items:
            if type(item) is Record:
                keys = tuple(item.values)
                if keys != names:
                    self._scalars(group, names)
                    group, names = [], keys
                if keys:
                    group.append(item)
                if item.data:
                    self._scalars(group, names)
                    group = []
                    self._data(item)
            else:
                self._scalars(group, names)
                group = []
                self._other(item)
        self._scalars(group, names)

    def windows(self) -> list[str]:
        """Return the names of all plots, in the order in which they are to be placed."""
        return self._router.order()

    def dirty(self) -> list[str]:
        """Return the plots that have changed since they were last sent, in layout order."""
        return [name for name in self.windows() if self._versions.get(name, 0) != self._sent.get(name)]

    def version(self, plot: str) -> int:
        """Return a number that grows with every change of a plot."""
        return self._versions.get(plot, 0)

    def mark_clean(self, plot: str, version: int) -> None:
        """Say that the plot as of `version` was sent. What has come since keeps it dirty."""
        self._sent[plot] = version

    def mark_all_dirty(self) -> None:
        """Say that nothing that was sent is there any more: the server was restarted."""
        self._sent.clear()

    def env_of(self, plot: str) -> str | None:
        """Return the environment a plot asks for, or None for the run's."""
        declared = self._router.plots.get(plot)
        env = declared.opts.get("env") if declared is not None else None
        return str(env) if env is not None else None

    def panel(self, plot: str) -> Panel:
        """Draw a plot as it is now. What cannot be drawn is a window that says so."""
        window = self.window(plot)
        try:
            return load(window.plot.type).draw(window)
        except Exception as error:
            if not isinstance(error, FlexLoggerError):
                faults.swallow(f"drawing plot {plot!r}", error)
            self._note(f"plot {plot!r} cannot be drawn: {error}")
            return page(window, f"This plot cannot be drawn: {html.escape(str(error))}")

    def window(self, plot: str) -> Window:
        """Return what a plot draws as it is now."""
        return assemble(plot, self._router, self._store, self._names, self._colors_of(plot))

    # Records

    def _scalars(self, group: list[Record], names: tuple[str, ...]) -> None:
        if not group:
            return
        try:
            rows = Rows.of(group, names)
        except (ValueError, TypeError, OverflowError):
            self._one_by_one(group)
            return
        self._rows(rows)

    def _rows(self, rows: Rows) -> None:
        axes: dict[str, Floats] = {}
        newest: dict[str, Latest] = {}
        all_finite = bool(np.isfinite(rows.columns).all())
        routes = [self._find(name, "scalar") for name in rows.names]
        self._store.share_out()
        for name, found, column in zip(rows.names, routes, rows.columns, strict=True):
            if found is None:
                continue
            route, trace = found
            if trace is not None:
                if route.x not in axes:
                    axes[route.x] = self._store.along(rows, route.x)
                trace.extend(axes[route.x], column)
                if not all_finite:
                    trace.notice(rows.steps, axes[route.x], column)
            self._touch(route.plot)
            newest[name] = Latest("scalar", float(column[-1]), rows.step(-1))
        self._store.latest.update(newest)
        self._settle()

    def _one_by_one(self, group: list[Record]) -> None:
        """Keep of odd records what can be kept."""
        for record in group:
            good = {name: number for name, value in record.values.items() if (number := _number(value)) is not None}
            for name in record.values.keys() - good.keys():
                self._note(f"{name!r}: a value that is not a number")
            if _number(record.step) is None or _number(record.time) is None:
                self._note("a record whose step or time is not a number")
            elif good:
                self._scalars([Record(record.step, record.time, good)], tuple(good))

    def _data(self, record: Record) -> None:
        for datum in record.data:
            problem = shape_problem(datum.kind, datum.value)
            if problem is not None:
                self._note(f"{datum.name!r}: {problem}")
            elif isinstance(datum.value, np.ndarray) and datum.kind == "vector" and self._as_lines(datum, record):
                continue
            elif (found := self._find(datum.name, datum.kind)) is not None:
                self._store.latest[datum.name] = Latest(datum.kind, datum.value, record.step, datum.captions)
                self._touch(found[0].plot)
        self._settle()

    def _as_lines(self, datum: Datum, record: Record) -> bool:
        """Take a short vector of a line plot as one scalar an entry; False where it is none."""
        found = self._find(datum.name, "vector")
        length = len(datum.value)
        if found is None or not found[0].lines or length > LINES_OF_A_VECTOR:
            return False
        labels = self._router.meters[found[0].meter].labels
        names = [str(label) for label in labels] if len(labels) == length else [str(index) for index in range(length)]
        values = {f"{datum.name}.{name}": float(value) for name, value in zip(names, datum.value, strict=True)}
        self._scalars([Record(record.step, record.time, values)], tuple(values))
        return True

    def _find(self, name: str, kind: Kind) -> tuple[Route, Trace | None] | None:
        try:
            return self._routes[name, kind]
        except KeyError:
            found = self._resolve(name, kind)
            if found is not None or len(self._routes) < MAX_NAMES:
                self._routes[name, kind] = found
            return found

    def _resolve(self, name: str, kind: Kind) -> tuple[Route, Trace | None] | None:
        route = self._router.route(name, kind)
        if isinstance(route, str):
            self._note(route)
            return None
        line = route.lines and kind == "scalar"
        trace = self._store.keep(name, route.x, self._router.plots[route.plot]) if line else None
        if line and trace is None:
            self._note(f"more than {MAX_LINES:,} lines in all: values of further names are only logged")
            return None
        if route.plot:
            self._names.setdefault(route.meter, {})[route.suffix] = kind
            self._unsettled.add(route.plot)
        return route, trace

    # What is not a record

    def _other(self, item: Item) -> None:
        if isinstance(item, Definition):
            self._define(item)
        elif isinstance(item, Event):
            self.events[item.kind] += 1
            if item.kind == "nonfinite" and "name" in item.info and len(self.nonfinite) < MAX_NAMES:
                told = {"value": item.info.get("value"), "step": item.step}
                self.nonfinite.setdefault(str(item.info.get("name")), told)
        elif isinstance(item, End):
            self.ended = item.status
        else:
            self._note(f"an item of type {type(item).__name__}")

    def _define(self, definition: Definition) -> None:
        """Put a new dashboard in force: data stays with its names, and only what looks different is drawn again."""
        before = {name: self._fingerprint(name) for name in self._router.plots}
        if self._store.start is None:
            self._store.start = definition.time
        seen = [(name, kind) for (name, kind), found in self._routes.items() if found is not None]
        self._routes, self._names = {}, {}
        self._router.define(definition)
        for name, kind in seen:
            self._find(name, kind)
        self._settle()
        used = {(name, found[0].x) for (name, _), found in self._routes.items() if found is not None and found[1]}
        self._store.drop_lines(used)
        self._store.share_out()
        for name in self._router.plots:
            if before.get(name) != self._fingerprint(name):
                self._touch(name)

    def _fingerprint(self, plot: str) -> tuple[Any, ...]:
        router = self._router
        return router.plots[plot], router.meters_of(plot), size_of(router.layout)

    def _touch(self, plot: str) -> None:
        self._versions[plot] = self._versions.get(plot, 0) + 1

    def _note(self, note: str) -> None:
        if note not in self.notes:
            if len(self.notes) >= MAX_NOTES:
                note = "more of the like"
            else:
                log.warning("flexlogger: %s", note)
        self.notes[note] += 1

    def _settle(self) -> None:
        for plot in self._unsettled:
            settle(plot, self._router, self._names, self._colors_of(plot))
        self._unsettled.clear()

    def _colors_of(self, plot: str) -> Colors:
        return self._colors.setdefault(plot, Colors())


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return None
