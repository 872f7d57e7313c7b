"""Which window a logged name belongs to."""

from __future__ import annotations

import msgspec

from flexlogger.plots.catalog import PLOTS, default_plot
from flexlogger.records import Definition, Kind, Layout, MeterDef, Output, PlotDef

MAX_AUTOMATIC = 100
"""Windows made for names nobody declared; the values of later names are in the log only."""


class Route(msgspec.Struct, frozen=True):
    """Where the output `suffix` of `meter` goes: plot `plot`, as a line over `x`, or only as its latest value."""

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
        """Find the window of a logged name, or say why none draws it ('' where it is not meant to be drawn)."""
        meter, suffix = self._meter(name)
        if meter is None:
            if len(self.automatic) >= MAX_AUTOMATIC:
                return f"more than {MAX_AUTOMATIC} undeclared names, the first left out is {name!r}"
            meter, suffix = self._automatic(name, kind), ""
        plot = self.plots.get(meter.target)
        if plot is None:
            return f"meter {meter.name!r} goes to plot {meter.target!r}, which is not declared"
        info = PLOTS.get(plot.type)
        if info is None:
            return f"plot {plot.name!r} is of type {plot.type!r}, which this version does not know"
        output = next((output for output in meter.outputs if output.name == suffix), None)
        if kind not in info.accepts:
            declared = output is not None and output.kind != "any"
            advice = f"give the plot type: {default_plot(kind)}"
            # A scalar beside a curve is its area; what is declared otherwise was checked before training.
            unsaid = declared or kind == "scalar"
            if not unsaid:
                return f"plot {plot.name!r} ({plot.type}) cannot draw the {kind} {name!r}, which is only logged; {advice}"
        return Route(plot.name, meter.name, suffix, self._is_line(plot, meter, output, suffix, kind), plot.x)

    def _is_line(self, plot: PlotDef, meter: MeterDef, output: Output | None, suffix: str, kind: Kind) -> bool:
        if plot.type != "line" or kind not in ("scalar", "vector"):
            return False
        return output is None or output.drawn or is_band(meter, suffix)

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


def is_band(meter: MeterDef, suffix: str) -> bool:
    """Whether an output is what the meter's line is to be shaded with."""
    return bool(meter.display.get("band")) and suffix == f".{meter.display['band']}"
