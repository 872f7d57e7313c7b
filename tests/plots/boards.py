"""Makes boards and reads their lines."""

from __future__ import annotations

import json
from collections.abc import Sequence

from flexlogger.plots.board import Board
from flexlogger.records import (
    Definition,
    Item,
    Layout,
    MeterDef,
    Panel,
    PlotDef,
)


def define(plots: Sequence[PlotDef], meters: Sequence[MeterDef], layout: Layout | None = None) -> Definition:
    return Definition(0.0, tuple(plots), tuple(meters), layout or Layout())


def board(*items: Item) -> Board:
    made = Board()
    made.write(items)
    return made


def lines(made: Board, plot: str) -> dict[str, list[tuple[float, float | None]]]:
    """The points of every line of a plot, by name."""
    return {
        trace["name"]: list(zip(trace["x"], trace["y"], strict=True))
        for trace in made.panel(plot).data
        if "lines" in trace.get("mode", "")
    }


def as_json(made: Board) -> dict[str, str]:
    return {name: as_text(made.panel(name)) for name in made.windows()}


def as_text(panel: Panel) -> str:
    """A panel as it is sent; fails where JSON has no word for something in it."""
    return json.dumps([panel.title, panel.data, panel.layout, panel.opts], allow_nan=False)


LOSS = define([PlotDef("loss")], [MeterDef("train", "AverageValueMeter", "loss"), MeterDef("test", "", "loss")])
