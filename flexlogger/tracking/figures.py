"""Figures drawn as our plots are, at once and for good."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from flexlogger.plots.base import load
from flexlogger.plots.style import DASHES, MUTED, PALETTE, literal
from flexlogger.plots.thinning import LOWEST, Floats, Indices, thin
from flexlogger.plots.trace import MARKS, Shown, kind_of
from flexlogger.plots.window import Feed, Latest, Line, Window
from flexlogger.records import Datum, Kind, MeterDef, PlotDef

MAX_POINTS = 10_000
"""Points of a figure, shared by its lines."""
MAX_LINES = 50
_AXIS, _NOTE = 40, 16  # pixels that ticks and title of an axis take below it, and a note below them


class Chart(msgspec.Struct, frozen=True):
    """A figure: plotly's `data` and `layout`, plain JSON."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_datum(self, name: str) -> Datum:
        """Return it as kind figure."""
        return Datum(name, "figure", json.dumps({"data": self.data, "layout": self.layout}, allow_nan=False))


def feed(name: str, kind: Kind, value: Any, meter: str = "", rank: int = 0) -> Feed:
    """Return what a plot draws of one value; `meter` is the type of meter that it might come from."""
    return Feed(MeterDef(name, meter, ""), PALETTE[rank % len(PALETTE)], (), {"": Latest(kind, value, 0)})


def drawn(
    plot: str,
    feeds: Sequence[Feed],
    title: str | None,
    opts: Mapping[str, Any],
    notes: Sequence[str] = (),
    xaxis: Mapping[str, Any] | None = None,
) -> Chart:
    """Draw feeds as a plot of type `plot` with options `opts`; `notes` on what is not in it stand below the x axis."""
    panel = load(plot).draw(Window(PlotDef("", plot, dict(opts), str(opts.get("xlabel"))), tuple(feeds)))
    look = panel.layout
    look["xaxis"] |= xaxis or {}
    look["annotations"] = [*look.get("annotations", ()), *map(_below, notes, range(len(notes)))]
    look["margin"]["b"] += _NOTE * len(notes)
    if title:
        above = {"font": {"size": 14}, "x": 0.5, "y": 1, "yanchor": "top", "pad": {"t": 8}}
        look["title"] = {"text": literal(title), **above}
        look["margin"]["t"] += 40 if look["showlegend"] and "orientation" in look["legend"] else 20
    return Chart(panel.data, look)


def _below(note: str, line: int) -> dict[str, Any]:
    """Write a note below the title of the x axis, beside the dashboard's own link."""
    place = {"x": 0, "y": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top"}
    look = {"showarrow": False, "font": {"size": 10, "color": MUTED}, "yshift": -_AXIS - _NOTE * line, "borderpad": 0}
    return {"text": literal(note), **place, **look}


def drawn_lines(
    series: Sequence[tuple[str, Floats, Floats]],
    title: str | None,
    opts: Mapping[str, Any],
    xaxis: Mapping[str, Any] | None = None,
) -> Chart:
    """Draw (name, x, y) as one line each, sorted by x; bounded, with a note on what is left out."""
    kept = series[:MAX_LINES]
    notes = [f"first {MAX_LINES} of {len(series):,} lines"] if len(series) > MAX_LINES else []
    lost = sum(int((~np.isfinite(x)).sum()) for _, x, _ in kept)
    notes += [f"{lost:,} points without a place on x"] if lost else []
    shown = [_shown(x, y, MAX_POINTS // max(1, len(kept))) for _, x, y in kept]
    before, after = sum(len(y) for _, _, y in kept) - lost, sum(len(one.x) for one in shown)
    if after < before:
        notes.append(f"{after:,} of {before:,} points, the extremes of each stretch")
    lines = [
        Line(name, one, PALETTE[rank % len(PALETTE)], DASHES[rank // len(PALETTE) % len(DASHES)])
        for rank, ((name, _, _), one) in enumerate(zip(kept, shown, strict=True))
    ]
    feeds = [Feed(MeterDef("", "", ""), PALETTE[0], tuple(lines))] if any(len(one.x) for one in shown) else []
    return drawn("line", feeds, title, opts, notes, xaxis)


def _shown(x: Floats, y: Floats, limit: int) -> Shown:
    """Sort by x and thin; what is not finite in y is a gap and a mark."""
    x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    gaps = np.flatnonzero(~np.isfinite(y))[:MARKS]
    finite = np.flatnonzero(np.isfinite(y))
    chosen = np.sort(np.concatenate((gaps, finite[thinned(x[finite], y[finite], limit)])))
    marks = tuple(map(kind_of, y[gaps].tolist()))
    return Shown(x[chosen], np.where(np.isfinite(y[chosen]), y[chosen], np.nan), x[gaps], marks)


def thinned(x: Floats, y: Floats, limit: int) -> Indices:
    """Return the indices of at most `limit` points, x ascending: first, last, lowest and highest of every stretch."""
    return thin(x, y, limit, LOWEST)[0] if len(x) > limit else np.arange(len(x))
