"""Which window a logged name belongs to."""

from __future__ import annotations

import msgspec

from flexlogger.plots.catalog import PLOTS, default_plot
from flexlogger.records import Definition, Kind, Layout, MeterDef, Output, PlotDef

MAX_AUTOMATIC = 100
"""Windows made for names nobody declared; the values of later names are in the log only."""


class Route(msgspec.Struct, frozen=True):
    """Where the output `suffix` of `meter` goes: plot `plot` ('': it has no window), as a line over `x`, or only as its
    latest value."""

    plot: str
    meter: str
    suffix: str
    lines: bool
    x: str = "step"


class Router:
    """The dashboard in force: declared plots and meters, and automatic ones for names nobody declared."""

    def __init__(self) -> None:
        self.plots: dict[str, PlotDef] = {}
        self.meters: dict[str, MeterDef] = {}
        self.automatic: dict[str, str] = {}
        """Automatic plots by the name they were made for; each has a meter of that name."""
        self.layout = Layout()

    def define(self, definition: Definition) -> None:
        """Take a new dashboard; automatic plots are made again as their names turn up."""
        self.plots = {plot.name: plot for plot in definition.plots}
        self.meters = {meter.name: meter for meter in definition.meters}
        self.automatic = {}
        self.layout = definition.layout

    def order(self) -> list[str]:
        """Return the plots as they are to be placed: those of the layout's order first, the rest as declared."""
        first = [name for name in self.layout.order if name in self.plots]
        return list(dict.fromkeys(first + list(self.plots)))

    def meters_of(self, plot: str) -> list[MeterDef]:
        """Return the meters of a plot, in the order of their declaration."""
        return [meter for meter in self.meters.values() if meter.target == plot]

    def route(self, name: str, kind: Kind) -> Route | str:
        """Find the window of a logged name, or say why none draws it."""
        meter, suffix = self._meter(name)
        if meter is None:
            if len(self.automatic) >= MAX_AUTOMATIC:
                return f"more than {MAX_AUTOMATIC} names that no meter declares; the rest are only logged"
            meter, suffix = self._automatic(name, kind), ""
        if not meter.target:
            return Route("", meter.name, suffix, False)
        plot = self.plots.get(meter.target)
        if plot is None:
            return f"meter {meter.name!r} goes to plot {meter.target!r}, which is not declared"
        info = PLOTS.get(plot.type)
        if info is None:
            return f"plot {plot.name!r} is of type {plot.type!r}, which this version does not know"
        output = output_of(meter, suffix)
        # A scalar beside a curve is its area; what a meter declares was checked against its plot before training.
        undeclared = output is None or output.kind == "any"
        if kind not in info.accepts and undeclared and kind != "scalar":
            return (
                f"plot {plot.name!r} of type {plot.type} cannot draw {name!r}, a {kind}, which is only logged; "
                f"give the plot type: {default_plot(kind)}"
            )
        drawn = output is None or output.drawn or is_band(meter, suffix)
        lines = plot.type == "line" and kind in ("scalar", "vector") and drawn
        return Route(plot.name, meter.name, suffix, lines, plot.x)

    def _meter(self, name: str) -> tuple[MeterDef | None, str]:
        """The meter of exactly this name, else the one with the longest name before a '.' or '@'."""
        if name in self.meters:
            return self.meters[name], ""
        for end in range(len(name) - 1, 0, -1):
            if name[end] in ".@" and name[:end] in self.meters:
                return self.meters[name[:end]], name[end:]
        return None, ""

    def _automatic(self, name: str, kind: Kind) -> MeterDef:
        plot = name
        while plot in self.plots:
            plot += " (undeclared)"
        self.automatic[name] = plot
        self.plots[plot] = PlotDef(plot, default_plot(kind))
        self.meters[name] = MeterDef(name, "", plot, (Output("", kind),))
        return self.meters[name]


def output_of(meter: MeterDef, suffix: str) -> Output | None:
    """Return the declared output that a suffix belongs to: itself, or the vector whose entry it is.

    >>> meter = MeterDef("f1", "", "f1", (Output("", "vector"), Output(".std", drawn=False)))
    >>> output_of(meter, ".std").drawn, output_of(meter, ".cat").kind
    (False, 'vector')
    """
    for output in sorted(meter.outputs, key=lambda output: -len(output.name)):
        entry = output.kind in ("vector", "any") and suffix.startswith(output.name + ".")
        if suffix == output.name or entry:
            return output
    return None


def is_band(meter: MeterDef, suffix: str) -> bool:
    """Whether an output is what the meter's line is to be shaded with."""
    return bool(meter.display.get("band")) and suffix == f".{meter.display['band']}"
