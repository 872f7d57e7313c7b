"""Makes panels of one plot, and reads them back as they arrive."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from flexlogger.plots.board import Board
from flexlogger.plots.catalog import PLOTS
from flexlogger.records import Datum, Definition, Kind, Layout, MeterDef, Output, Panel, PlotDef, Record

TABLE = json.dumps({"columns": ["name", "value"], "rows": [["<b>", 1.5], [None, True], ["x", float("inf")]]})
FIGURE = json.dumps({"data": [{"type": "bar", "y": [1, float("nan")]}], "layout": {"title": {"text": "mine"}}})
VALUES: dict[str, tuple[Kind, Any]] = {
    "scatter": ("points", np.array([[0.0, 1.0, 0], [np.nan, 2.0, 1], [2.0, 3.0, 1]])),
    "bar": ("vector", np.array([1.0, np.inf, np.nan])),
    "histogram": ("histogram", np.array([[0.0, 0.5, 2.0], [3.0, 4.0, 0.0]])),
    "heatmap": ("matrix", np.array([[1.0, np.nan], [-np.inf, 0.5]])),
    "image": ("image", np.zeros((4, 6), np.uint8)),
    "images": ("images", np.zeros((5, 4, 6, 3), np.uint8)),
    "text": ("text", "a <b>note</b> & more"),
    "table": ("table", TABLE),
    "curve": ("curve", np.array([[0.0, np.nan, 1.0], [0.0, 0.5, np.inf]])),
    "plotly": ("figure", FIGURE),
    "matplotlib": ("image", np.zeros((30, 40, 4), np.uint8)),
    "boxplot": ("matrix", np.array([[1.0, np.nan], [2.0, 5.0], [np.inf, 3.0]])),
    "surface": ("matrix", np.array([[1.0, np.nan], [-np.inf, 0.5]])),
    "contour": ("matrix", np.array([[1.0, np.nan], [-np.inf, 0.5]])),
    "quiver": ("matrix", {".u": np.array([[1.0, np.nan]]), ".v": np.array([[0.5, 1.0]])}),
    "stem": ("vector", np.array([1.0, np.inf, np.nan])),
    "pie": ("vector", np.array([1.0, 3.0, np.nan])),
    "mesh": ("matrix", {".vertices": np.eye(4, 3), ".faces": np.array([[0, 1, 2], [0, 2, 3]])}),
    "video": ("images", np.zeros((3, 5, 7, 3), np.uint8)),
    "audio": ("vector", np.array([0.0, 0.5, np.nan, -2.0])),
    "svg": ("text", "<svg viewBox='0 0 9 9'><circle r='4'/></svg>"),
    "properties": ("table", TABLE),
    "embeddings": ("matrix", np.array([[0.0, 1.0, 0.0, 1.0], [np.nan, 2.0, 1.0, 1.0], [2.0, 3.0, 1.0, 0.0]])),
    "network": ("matrix", np.array([[0, 1], [1, 2]])),
}
PANES = ("text", "table", "video", "audio", "svg")
FIGURES = sorted(set(PLOTS) - {"image", "images", "matplotlib", "properties", *PANES})
FLAT = sorted(set(FIGURES) - {"plotly", "surface", "mesh", "pie", "embeddings", "network"})
"""Figures with an x and a y axis."""


def drawn(plot: PlotDef, meters: list[MeterDef], *records: Record, layout: Layout | None = None) -> Panel:
    board = Board()
    board.write([Definition(0.0, (plot,), tuple(meters), layout or Layout()), *records])
    panel = board.panel(plot.name)
    assert not board.notes
    return plain(panel)


def plain(panel: Panel) -> Panel:
    """Return the panel as it arrives, having checked that JSON has a word for everything in it."""
    parts = json.loads(json.dumps([panel.title, panel.data, panel.layout, panel.opts], allow_nan=False))
    assert isinstance(panel.title, str)
    assert panel.opts["title"] == panel.title
    assert len(panel.data) >= 1
    return Panel(*parts)


def panel_of(kind: str, opts: dict[str, Any] | None = None, layout: Layout | None = None, value: Any = None) -> Panel:
    """A plot of one type with one meter, which was logged once at step 7."""
    plot = PlotDef("p", kind, opts or {})
    if kind == "line":
        records = [Record(7, 0.0, {"m": 1.0 if value is None else value})]
        return drawn(plot, [MeterDef("m", "M", "p")], *records, layout=layout)
    of, usual = VALUES[kind]
    chosen = usual if value is None else value
    parts = chosen if isinstance(chosen, dict) else {"": chosen}
    record = Record(7, 0.0, {}, tuple(Datum(f"m{suffix}", of, part) for suffix, part in parts.items()))
    outputs = tuple(Output(suffix, of) for suffix in parts)
    return drawn(plot, [MeterDef("m", "M", "p", outputs)], record, layout=layout)


def lines(opts: dict[str, Any], *series: tuple[str, list[float]], **meter: Any) -> Panel:
    """A line plot of these series over 0, 1, 2 …"""
    records = [Record(step, 0.0, {name: y}) for name, ys in series for step, y in enumerate(ys)]
    names = dict.fromkeys(name.split(".")[0] for name, _ in series)
    return drawn(PlotDef("p", "line", opts), [MeterDef(name, "M", "p", **meter) for name in names], *records)
