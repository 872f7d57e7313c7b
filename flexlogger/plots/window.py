"""What a plot is given to draw: one window with its meters' lines and latest values, already coloured and bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from flexlogger.plots.trace import Shown
from flexlogger.records import Kind, MeterDef, PlotDef, Step

Array = np.ndarray[Any, Any]


class Latest(msgspec.Struct, frozen=True):
    """The newest value of one output, and when it was logged. A scalar is a float, the rest as in `Datum`."""

    kind: Kind
    value: float | str | Array
    step: Step
    captions: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True):
    """One line of a line plot. `band`, where asked for, is what to shade above and below it."""

    name: str
    shown: Shown
    color: str
    dash: str
    width: float = 2
    band: Shown | None = None


class Feed(msgspec.Struct, frozen=True):
    """One meter of a window: its lines, and the latest value of each output by suffix."""

    meter: MeterDef
    color: str
    lines: tuple[Line, ...] = ()
    latest: dict[str, Latest] = {}

    def values(self, *kinds: Kind) -> list[tuple[str, Latest]]:
        """Return (output name, latest value) of the outputs of these kinds."""
        return [(self.meter.name + suffix, value) for suffix, value in self.latest.items() if value.kind in kinds]


class Window(msgspec.Struct, frozen=True):
    """One window as it is now: its declaration, its meters in order, and its size in pixels where one was asked for."""

    plot: PlotDef
    feeds: tuple[Feed, ...]
    width: int | None = None
    height: int | None = None

    @property
    def title(self) -> str:
        """What the window is called."""
        return str(self.plot.opts.get("title", self.plot.name))

    def values(self, *kinds: Kind) -> list[tuple[str, Feed, Latest]]:
        """Return (output name, feed, latest value) of all outputs of these kinds, in the order of the meters."""
        return [(name, feed, value) for feed in self.feeds for name, value in feed.values(*kinds)]


_RANKS: dict[Kind, tuple[int, ...]] = {
    "vector": (1,),
    "matrix": (2,),
    "curve": (2,),
    "points": (2,),
    "histogram": (2,),
    "image": (2, 3),
    "images": (3, 4),
}


def shape_problem(kind: Kind, value: object) -> str | None:
    """Say what is wrong with a value that is not what its kind promises, or return None.

    >>> shape_problem("matrix", np.zeros(3))
    'expected a matrix (2-d array), got shape (3,)'
    """
    if kind in ("any", "scalar"):
        return f"no plot draws data of kind {kind}, here of shape {getattr(value, 'shape', '()')}"
    if kind not in _RANKS:
        return None if isinstance(value, str) else f"expected {kind} (a string), got {type(value).__name__}"
    ranks = _RANKS[kind]
    wanted = f"expected a {kind} ({' or '.join(map(str, ranks))}-d array)"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return f"{wanted}, got {getattr(value, 'dtype', type(value).__name__)}"
    rows = {"curve": 2, "histogram": 2}.get(kind)
    bad_columns = kind == "points" and value.ndim == 2 and value.shape[1] not in (2, 3)
    if value.ndim not in ranks or (rows and value.shape[0] != rows) or bad_columns:
        return f"{wanted}, got shape {value.shape}"
    return None
