"""From what a board keeps to the window that a plot draws: lines with their colours, latest values, a size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flexlogger.plots.routing import Router, is_band
from flexlogger.plots.store import Store
from flexlogger.plots.style import DASHES, PALETTE
from flexlogger.plots.window import Feed, Latest, Line, Window
from flexlogger.records import Kind, Layout, MeterDef

PAGE_WIDTH = 1380
"""Pixels that `columns` share: what a dashboard shows side by side on a common laptop screen."""


class Colors:
    """Colours and dashes by name, given in order of first use and kept: a line that appears later moves no other."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, name: str) -> tuple[str, str]:
        """Return the colour and the dash of a name; past the palette's end colours repeat with the next dash.

        >>> colors = Colors()
        >>> colors.of("a") == colors.of("a") != colors.of("b")
        True
        """
        place = self._places.setdefault(name, len(self._places))
        return PALETTE[place % len(PALETTE)], DASHES[place // len(PALETTE) % len(DASHES)]


def assemble(
    plot: str, router: Router, store: Store, names: Mapping[str, Mapping[str, Kind]], colors: Colors
) -> Window:
    """Return the window of a plot as it is now. `names` are the outputs seen, by meter: suffix and kind."""
    declared = router.plots[plot]
    meters = router.meters_of(plot)
    for meter in meters:
        colors.of(meter.name)  # by declaration, before any line of a vector takes one
    feeds = tuple(_feed(meter, declared.x, store, names.get(meter.name, {}), colors) for meter in meters)
    width, height = _size(router.layout)
    return Window(declared, feeds, width, height)


def single(meter: MeterDef, value: Latest) -> tuple[Feed, ...]:
    """Return the feeds of a window that shows one value."""
    return (Feed(meter, PALETTE[0], latest={"": value}),)


def _size(layout: Layout) -> tuple[int | None, int | None]:
    shared = PAGE_WIDTH // layout.columns if layout.columns else None
    return layout.width or shared, layout.height


def _feed(meter: MeterDef, x: str, store: Store, seen: Mapping[str, Kind], colors: Colors) -> Feed:
    latest = {suffix: store.latest[meter.name + suffix] for suffix in seen if meter.name + suffix in store.latest}
    color = str(meter.display.get("color", colors.of(meter.name)[0]))
    return Feed(meter, color, tuple(_lines(meter, x, store, seen, colors)), latest)


def _lines(meter: MeterDef, x: str, store: Store, seen: Mapping[str, Kind], colors: Colors) -> Iterator[Line]:
    """One line per scalar output. A meter's only line has the meter's name; of several, each has a colour of its own."""
    drawn = [s for s in seen if (meter.name + s, x) in store.lines and not is_band(meter, s)]
    band = next((s for s in seen if is_band(meter, s)), None)
    shade = store.lines.get((meter.name + band, x)) if band is not None else None
    for suffix in drawn:
        alone = len(drawn) == 1
        color, dash = colors.of(meter.name if alone or suffix == "" else meter.name + suffix)
        one_color = meter.display.get("color") if alone else None
        yield Line(
            meter.name if alone else meter.name + suffix,
            store.lines[meter.name + suffix, x].shown(),
            str(one_color or color),
            str(meter.display.get("dash", dash)),
            float(meter.display.get("width", 2)),
            shade.shown() if shade is not None and suffix == "" else None,
        )
