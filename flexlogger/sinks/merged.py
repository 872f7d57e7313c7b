"""Several processes' declarations as the one dashboard of their run."""

from __future__ import annotations

from collections.abc import Sequence

from flexlogger.records import Definition, Item, Layout, MeterDef, PlotDef
from flexlogger.rows import Rows


class OneDashboard:
    """Joins the definitions of a run's processes: those of an earlier life of the run, of workers, of others.

    A name that stands in several means what this process last declared, else what was declared last by anybody. What
    only others declared stays: their values are still to be drawn.

    >>> one = OneDashboard()
    >>> _ = one.take([Definition(0.0, (PlotDef("a"), PlotDef("b")), ())])
    >>> (joined,) = one.take([Definition(1.0, (PlotDef("b", "bar"), PlotDef("c")), ())], own=True)
    >>> [(plot.name, plot.type) for plot in joined.plots]
    [('b', 'bar'), ('c', 'line'), ('a', 'line')]
    """

    def __init__(self) -> None:
        self._own: Definition | None = None
        self._plots: dict[str, PlotDef] = {}  # of others
        self._meters: dict[str, MeterDef] = {}
        self._layout = Layout()
        self._shown: Definition | None = None

    def take(self, items: Sequence[Item], rank: int = 0, own: bool = False) -> Sequence[Item]:
        """Return the items with every definition completed by what else is declared."""
        if isinstance(items, Rows) or not any(type(item) is Definition for item in items):
            return items
        taken: list[Item] = []
        for item in items:
            joined = self._join(item, own) if isinstance(item, Definition) else item
            if joined is not None:
                taken.append(joined)
        return taken

    def _join(self, said: Definition, own: bool) -> Definition | None:
        """The dashboard from here on; None where it stays what it is."""
        if own:
            self._own = said
        else:
            self._plots |= {plot.name: plot for plot in said.plots}
            self._meters |= {meter.name: meter for meter in said.meters}
            self._layout = said.layout
        joined = self._joined(said.time)
        if self._shown is not None and _same(joined, self._shown):
            return None
        self._shown = joined
        return joined

    def _joined(self, time: float) -> Definition:
        own = self._own or Definition(time, (), (), self._layout)
        plots = {plot.name: plot for plot in own.plots}
        meters = {meter.name: meter for meter in own.meters}
        plots |= {name: plot for name, plot in self._plots.items() if name not in plots}
        meters |= {name: meter for name, meter in self._meters.items() if name not in meters}
        return Definition(time, tuple(plots.values()), tuple(meters.values()), own.layout)


def _same(one: Definition, other: Definition) -> bool:
    return (one.plots, one.meters, one.layout) == (other.plots, other.meters, other.layout)
