"""The windows of a run that uses the run API: those its dashboard declares, and what must be said about other names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from flexlogger.config.model import Dashboard
from flexlogger.errors import ValueRefusedError
from flexlogger.plots.routing import MAX_AUTOMATIC
from flexlogger.records import MeterDef, Output, PlotDef
from flexlogger.runs.format import utf8
from flexlogger.tracking.metrics import Rules

Define = Callable[[Sequence[PlotDef], Sequence[MeterDef]], None]
Taken = Callable[[PlotDef, MeterDef], bool]
"""Whether somebody else who shares the run has declared one of these."""


class Windows:
    """A name that nobody declares gets a window of its own, which views make by themselves. Only three kinds of it
    need a declaration: a vector, whose entries are lines of one window, one that is drawn over another metric, and one
    that is to have no window.

    `define` is called with the whole declaration, first in the constructor and then whenever it grows.
    """

    def __init__(self, dashboard: Dashboard, rules: Rules, define: Define, taken: Taken) -> None:
        self._rules = rules
        self._define = define
        self._taken = taken
        self._plots = {plot.name: plot for plot in dashboard.plots}
        self._meters = {
            meter.name: MeterDef(
                meter.name,
                meter.type if isinstance(meter.type, str) else "",
                meter.target,
                (Output("", "any"),),
                meter.labels,
                dict(meter.display),
            )
            for meter in dashboard.meters
        }
        self._declared = frozenset(self._meters)
        self._known: dict[str, bool] = {}
        """Names met, and whether each is a vector."""
        self._tell()

    def knows(self, names: Set[str]) -> bool:
        """True where every one of these names was met before."""
        return self._known.keys() >= names

    def meet(self, names: Iterable[str], vectors: Iterable[str] = ()) -> None:
        """Take note of names that are logged, and declare those that need it.

        Raises ValueRefusedError for a name that cannot be written to a file."""
        new = {name: name in vectors for name in names if name not in self._known}
        odd = next((name for name in new if utf8(name) != name), None)
        if odd is not None:
            raise ValueRefusedError(f"log: expected names of whole characters, but got {odd!r}")
        self._known.update(new)
        self._declare_all(new)

    def look_again(self) -> None:
        """Declare what a new rule asks of names that were met before."""
        self._declare_all([*self._known])  # another thread may log a new name

    def _declare_all(self, names: Iterable[str]) -> None:
        changed = [name for name in names if self._declare(name)]
        if changed:
            self._tell()

    def _declare(self, name: str) -> bool:
        """Declare a name's window where it needs that; True where something has changed."""
        axis, hidden, vector = self._rules.axis(name), self._rules.hidden(name), self._known[name]
        if not (vector or hidden or axis not in (None, name)):
            return False
        plot = PlotDef(name, "line", {"xlabel": axis} if axis else {}, axis or "step")
        meter = MeterDef(name, "", "" if hidden else name, (Output("", "vector" if vector else "scalar"),))
        known = self._plots.get(name), self._meters.get(name)
        if self._is_spoken_for(name) or self._taken(plot, meter) or known == (None if hidden else plot, meter):
            return False
        if name not in self._plots and len(self._plots) >= len(self._declared) + MAX_AUTOMATIC:
            return False
        self._meters[name] = meter
        if hidden:
            self._plots.pop(name, None)
        else:
            self._plots[name] = plot
        return True

    def _is_spoken_for(self, name: str) -> bool:
        """True where the dashboard declares the name, or what it is a part of."""
        parts = (name[:end] for end in range(1, len(name)) if name[end] in ".@")
        return name in self._declared or any(part in self._declared for part in parts)

    def _tell(self) -> None:
        self._define(tuple(self._plots.values()), tuple(self._meters.values()))
