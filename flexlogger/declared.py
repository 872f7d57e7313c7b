"""What those who share a run have declared, as one dashboard."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import msgspec

from flexlogger.records import Definition, Layout, MeterDef, PlotDef


class Declared(msgspec.Struct, frozen=True):
    """What one of them declares."""

    plots: Mapping[str, PlotDef] = {}
    meters: Mapping[str, MeterDef] = {}
    layout: Layout = Layout()


class Declarations:
    """The declarations of everyone who shares a run.

    A plot may be declared by several, if it is the same; a meter belongs to one. What somebody declared who has left
    stays, so that its windows can be drawn again, until somebody else takes the name.

    >>> shared = Declarations()
    >>> loss = PlotDef("loss")
    >>> shared.put("a", [loss], [MeterDef("train", "SumMeter", "loss")], Layout())
    >>> shared.clashes("b", [loss], ["train"])
    {'meters.train': 'another logger of this run has a meter of this name; rename one, or close the other logger'}
    >>> shared.put("b", [loss], [MeterDef("test", "SumMeter", "loss")], Layout())
    >>> [meter.name for meter in shared.merged(0.0).meters]
    ['train', 'test']
    """

    def __init__(self) -> None:
        self._here: dict[Hashable, Declared] = {}
        self._left = Declared()

    def clashes(self, who: Hashable, plots: Iterable[PlotDef], meters: Iterable[str]) -> dict[str, str]:
        """What of a declaration (plots, names of meters) others hold already: {key path: message}."""
        others = [declared for key, declared in self._here.items() if key != who]
        found: dict[str, str] = {}
        for plot in plots:
            if any(other.plots.get(plot.name, plot) != plot for other in others):
                found[f"plots.{plot.name}"] = (
                    "another logger of this run declares this plot differently; declare it alike, or rename one"
                )
        for meter in meters:
            if any(meter in other.meters for other in others):
                found[f"meters.{meter}"] = (
                    "another logger of this run has a meter of this name; rename one, or close the other logger"
                )
        return found

    def put(self, who: Hashable, plots: Sequence[PlotDef], meters: Sequence[MeterDef], layout: Layout) -> None:
        """Take the declaration of `who` in place of what it declared before."""
        self._here[who] = Declared({p.name: p for p in plots}, {m.name: m for m in meters}, layout)

    def leave(self, who: Hashable) -> None:
        """Keep what `who` declared for drawing only."""
        gone = self._here.pop(who, None)
        if gone is not None:
            self._left = _union([self._left, gone])

    def merged(self, time: float) -> Definition:
        """The dashboard that all of it makes, in the order in which they came; in force from `time` on."""
        all_of_it = _union([self._left, *self._here.values()])
        plots = {meter.target for meter in all_of_it.meters.values()} - {*all_of_it.plots, ""}
        meters = tuple(meter for meter in all_of_it.meters.values() if meter.target not in plots)
        return Definition(time, tuple(all_of_it.plots.values()), meters, all_of_it.layout)


def _union(parts: Sequence[Declared]) -> Declared:
    """All of it, later ones first where a name stands twice."""
    plots = {name: plot for part in parts for name, plot in part.plots.items()}
    meters = {name: meter for part in parts for name, meter in part.meters.items()}
    layouts = [part.layout for part in parts]
    layout = Layout(
        columns=next((one.columns for one in layouts if one.columns), None),
        width=next((one.width for one in layouts if one.width), None),
        height=next((one.height for one in layouts if one.height), None),
        order=tuple(dict.fromkeys(name for one in layouts for name in one.order)),
    )
    return Declared(plots, meters, layout)
