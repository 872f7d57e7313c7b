"""The check of plots, and of how meters and plots fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flexlogger.config.check_meters import UNDECLARED, Meter, entries_of
from flexlogger.config.environment import disclose
from flexlogger.config.fields import PLOT
from flexlogger.config.names import label_refusal, name_refusal
from flexlogger.config.section import Section, read, subsection
from flexlogger.config.tree import Entry, Problems, join
from flexlogger.errors import nearest, unknown
from flexlogger.plots.catalog import PLOTS, PlotInfo, default_plot
from flexlogger.records import PlotDef

_EXAMPLE = "{type: line}"
_CLOCKS = ("step", "time")


class Plot(msgspec.Struct):
    """A plot whose own declaration is checked, with the meters that go to it."""

    name: str
    section: Section
    info: PlotInfo | None
    """None where its type is wrong, so that nothing else can be said of it."""
    meters: list[Meter] = []
    opts: dict[str, Any] = {}

    def definition(self, max_points: int) -> PlotDef:
        """Return the frozen form; `max_points` holds where the plot sets none."""
        values = disclose(self.section.values)
        return PlotDef(
            name=self.name,
            type=self.info.name if self.info else "line",
            opts=disclose(self.opts),
            x=values.get("x", "step"),
            max_points=values.get("max_points", max_points),
        )


def read_plot(name: str, entry: Entry, problems: Problems) -> Plot:
    """Check what a plot says of itself, save for what depends on its meters."""
    path = join("plots", entry.declared or name)
    refusal = label_refusal(name)
    if refusal:
        problems.add(entry.place, path, refusal)
    section = read(entry, path, PLOT, problems, example=_EXAMPLE)
    kind = section.values.get("type")
    if kind is not None and kind not in PLOTS:
        problems.add(section.at("type"), section.to("type"), unknown("plot type", kind, PLOTS))
    return Plot(name, section, PLOTS.get(kind) if kind is not None else None)


def assign(meters: Sequence[Meter], plots: Mapping[str, Plot], complete: bool, problems: Problems) -> None:
    """Give every meter to its plot; a meter without a target goes to the plot of its own name.

    Where the declaration is not complete, a plot that is missing may stand in what could not be read.
    """
    for meter in meters:
        section = meter.section
        if meter.target is None and meter.name in plots:
            meter.target = meter.name
        if meter.target is not None and meter.target in plots:
            plots[meter.target].meters.append(meter)
        elif complete and meter.target is not None:
            note = unknown("plot", meter.target, plots)
            problems.add(section.at("target"), section.to("target"), f"{note}{_declare(meter.target, plots)}")
        elif complete and "target" not in section.entries:
            listed = f"one of: {', '.join(plots)}" if plots else "a plot, and declare that under plots"
            problems.add(section.place, section.path, f"no plot is named {meter.name!r}; set target to {listed}")


def _declare(name: str, plots: Mapping[str, Plot]) -> str:
    return "" if nearest(name, plots) else "; declare it under plots, or mend the target"


def settle(plot: Plot, problems: Problems) -> None:
    """Choose the plot's type if it names none, and check its options and what its meters bring."""
    if "type" not in plot.section.entries:
        plot.info = PLOTS[default_plot(plot.meters[0].primary.kind if plot.meters else "any")]
    if plot.info is None:
        return
    opts = subsection(plot.section, "opts", plot.info.options, problems, f"option of plot type {plot.info.name}")
    plot.opts = opts.values
    refusal = name_refusal(opts.values["env"]) if "env" in opts.values else None
    if refusal:
        problems.add(opts.at("env"), opts.to("env"), refusal)
    for meter in plot.meters:
        _check_kind(meter, plot, plot.info, problems)
    _check_units(plot, problems)
    _check_labels(opts, plot, problems)


def _check_kind(meter: Meter, plot: Plot, info: PlotInfo, problems: Problems) -> None:
    kinds = [output.kind for output in meter.outputs]
    if meter.outputs is UNDECLARED or "any" in kinds or info.accepts & set(kinds):
        return
    drawn = ", ".join(sorted(info.accepts - {"any"}))
    message = (
        f"plot {plot.name!r} of type {info.name} draws {drawn}, but this meter yields {' and '.join(kinds)}; "
        f"send it to a plot of type {default_plot(kinds[0])}"
    )
    key = "target" if "target" in meter.section.entries else "type"
    problems.add(meter.section.at(key), meter.section.to(key), message)


def _check_units(plot: Plot, problems: Problems) -> None:
    first = next((meter for meter in plot.meters if meter.unit), None)
    for meter in plot.meters:
        if first is not None and meter.unit and meter.unit != first.unit:
            key = "unit" if "unit" in meter.section.values else "target"
            message = (
                f"two units in plot {plot.name!r}: {first.name!r} is in {first.unit!r}, this meter in {meter.unit!r}; "
                "give it a plot of its own"
            )
            problems.add(meter.section.at(key), meter.section.to(key), message)


def _check_labels(opts: Section, plot: Plot, problems: Problems) -> None:
    labels = opts.values.get("labels")
    for meter in plot.meters if isinstance(labels, list) else ():
        size = entries_of(meter.primary)
        if size is not None and labels is not None and size != len(labels):
            message = f"expected {size} labels, one per entry of {meter.name!r}, but got {len(labels)}"
            problems.add(opts.at("labels"), opts.to("labels"), message)
            return


def check_x(plot: Plot, kinds: Mapping[str, str], problems: Problems) -> None:
    """Check what the x axis of a plot is: the step, the time, or a meter of numbers (`kinds` by meter)."""
    x = plot.section.values.get("x", "step")
    if x in _CLOCKS:
        return
    where, path = plot.section.at("x"), plot.section.to("x")
    if x not in kinds:
        problems.add(where, path, unknown("x axis", x, [*_CLOCKS, *kinds]))
    elif kinds[x] not in ("scalar", "any"):
        problems.add(where, path, f"expected a meter of numbers, but {x!r} yields {kinds[x]}")
