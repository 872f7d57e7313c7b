"""A window put together for drawing: its meters in order, their lines with colours that stay, and its size."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from flexlogger.plots.catalog import PLOTS
from flexlogger.plots.routing import Router, is_band, output_of
from flexlogger.plots.store import Store
from flexlogger.plots.style import DASHES, PALETTE, WIDTHS
from flexlogger.plots.trace import Shown
from flexlogger.plots.window import Feed, Line, Window
from flexlogger.records import Kind, Layout, MeterDef, PlotDef

PAGE = 1400
"""Pixels of a usual browser window: `columns` without a width are shares of it."""
_GAP = 10


class Colors:
    """The colours of one window. What has got one keeps it, whatever turns up later or is declared before it."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], int] = {}

    def give(self, meter: str, suffix: str) -> None:
        """Give a line its place in the palette: its meter, or its part, which all meters share."""
        self._slots.setdefault(_key(meter, suffix), len(self._slots))

    def slot(self, meter: str, suffix: str) -> int:
        """Return the place in the palette that a line was given; one that was given none has the first.

        >>> colors = Colors()
        >>> for line in (("train", "@1"), ("train", "@5"), ("test", "@1")):
        ...     colors.give(*line)
        >>> [colors.slot("train", "@1"), colors.slot("train", "@5"), colors.slot("test", "@1")]
        [0, 1, 0]
        """
        return self._slots.get(_key(meter, suffix), 0)


def _key(meter: str, suffix: str) -> tuple[str, str]:
    return ("part", suffix) if suffix else ("meter", meter)


def settle(name: str, router: Router, seen: Mapping[str, Mapping[str, Kind]], colors: Colors) -> None:
    """Give what plot `name` draws its colours. Done where something new has turned up, and never while drawing: so
    they follow from the log alone, and a replay, which draws at other times, has the same."""
    plot, meters = router.plots[name], router.meters_of(name)
    if plot.type != "line":
        for meter in meters:
            colors.give(meter.name, "")
        return
    _reserve(meters, seen, colors)
    for meter in meters:
        for suffix, kind in seen.get(meter.name, {}).items():
            if kind == "scalar" and _wanted(plot, meter, suffix):
                colors.give(meter.name, suffix)


def assemble(name: str, router: Router, store: Store, seen: Mapping[str, Mapping[str, Kind]], colors: Colors) -> Window:
    """Return plot `name` as it is now. `seen` are the outputs that have turned up, by meter, in order."""
    plot, meters = router.plots[name], router.meters_of(name)
    in_parts = [rank for rank, meter in enumerate(meters) if _in_parts(plot, meter, seen.get(meter.name, {}))]
    dashes = 1 + max(in_parts, default=0)
    feeds = tuple(
        _feed(plot, meter, (rank, dashes), store, seen.get(meter.name, {}), colors) for rank, meter in enumerate(meters)
    )
    width, height = size_of(router.layout)
    return Window(plot, feeds, width, height)


def _reserve(meters: list[MeterDef], seen: Mapping[str, Mapping[str, Kind]], colors: Colors) -> None:
    """Give what is declared its colours in that order, so that the order of arrival does not matter. What has no
    declared kind may turn out to be many lines, and so takes none before it is seen."""
    for meter in meters:
        for output in meter.outputs:
            if output.kind == "vector":
                for label in meter.labels:
                    colors.give(meter.name, f"{output.name}.{label}")
            elif output.drawn and (output.kind == "scalar" or seen.get(meter.name, {}).get(output.name) == "scalar"):
                colors.give(meter.name, output.name)


def _in_parts(plot: PlotDef, meter: MeterDef, seen: Mapping[str, Kind]) -> bool:
    """Whether a meter's lines are parts, which other meters may have too."""
    declared = any(output.drawn and (output.name or output.kind == "vector") for output in meter.outputs)
    return declared or any(suffix and _wanted(plot, meter, suffix) for suffix in seen)


def _feed(
    plot: PlotDef, meter: MeterDef, place: tuple[int, int], store: Store, seen: Mapping[str, Kind], colors: Colors
) -> Feed:
    """`place` is the meter's rank, and how many ranks of the window need dashes of their own."""
    wanted = {suffix: kind for suffix, kind in seen.items() if _wanted(plot, meter, suffix)}
    latest = {suffix: store.latest[meter.name + suffix] for suffix in wanted if meter.name + suffix in store.latest}
    if plot.type != "line":
        own = meter.display.get("color") or PALETTE[colors.slot(meter.name, "") % len(PALETTE)]
        return Feed(meter, own, (), latest)
    lines = [
        _line(plot, meter, place, suffix, store, colors)
        for suffix, kind in wanted.items()
        if kind == "scalar" and (meter.name + suffix, plot.x) in store.lines
    ]
    if len(lines) == 1:
        lines = [msgspec.structs.replace(lines[0], name=meter.name)]
    return Feed(meter, lines[0].color if lines else PALETTE[place[0] % len(PALETTE)], tuple(lines), latest)


def _wanted(plot: PlotDef, meter: MeterDef, suffix: str) -> bool:
    """What a meter does not draw by default is drawn where the plot can draw nothing else of it."""
    output = output_of(meter, suffix)
    if is_band(meter, suffix):
        return False
    info = PLOTS[plot.type]
    return output is None or output.drawn or not any(o.drawn and o.kind in info.accepts for o in meter.outputs)


def _line(plot: PlotDef, meter: MeterDef, place: tuple[int, int], suffix: str, store: Store, colors: Colors) -> Line:
    """Parts of a meter differ by colour; where several meters have the same parts, those differ by dash. Colours that
    come again have dashes that those before them left, and dashes that come again have another width."""
    again, color = divmod(colors.slot(meter.name, suffix), len(PALETTE))
    rank, dashes = place
    wider, dash = divmod((rank if suffix else 0) + again * dashes, len(DASHES))
    return Line(
        name=meter.name + suffix,
        shown=store.lines[meter.name + suffix, plot.x].shown(),
        color=meter.display.get("color", PALETTE[color]),
        dash=meter.display.get("dash", DASHES[dash]),
        width=meter.display.get("width", WIDTHS[wider % len(WIDTHS)]),
        band=_band(plot, meter, suffix, store),
    )


def _band(plot: PlotDef, meter: MeterDef, suffix: str, store: Store) -> Shown | None:
    line = store.lines.get((f"{meter.name}.{meter.display.get('band')}", plot.x))
    return line.shown() if line is not None and not suffix else None


def size_of(layout: Layout) -> tuple[int | None, int | None]:
    """Return the size of a window in pixels that the layout asks for, None where it asks for none.

    >>> size_of(Layout()), size_of(Layout(columns=2)), size_of(Layout(columns=2, width=300))
    ((None, None), (685, 411), (300, None))
    """
    if layout.columns is None or layout.width is not None:
        return layout.width, layout.height
    width = (PAGE - _GAP) // layout.columns - _GAP
    return width, layout.height or max(220, min(420, round(width * 0.6)))
