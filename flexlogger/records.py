"""The only things that travel: frozen, plain, the same on every wire. Numbers, strings and numpy arrays, never torch.

A `Record` is what one `log` call measured. `Definition` says how to draw it. `Event` and `End` tell what happened to
the run. The run log writes them, views read them.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from typing import Any, Literal, cast

import msgspec
import numpy as np

Step = int | float
"""A finite int or float. Never bool, NaN or a string."""

Kind = Literal[
    "scalar",  # float
    "vector",  # (K,) array
    "matrix",  # (rows, columns) array; a confusion matrix has row = truth, column = prediction
    "curve",  # (2, N) array: x in row 0, y in row 1
    "points",  # (N, 2) or (N, 3) array: x, y[, class index]
    "histogram",  # (2, B + 1) array: B + 1 edges in row 0; B counts then one 0 in row 1
    "image",  # (H, W) or (H, W, 3 or 4) uint8 array
    "images",  # (N, H, W) or (N, H, W, 3 or 4) uint8 array
    "text",  # str
    "table",  # str: JSON {"columns": [str], "rows": [[...]]}
    "figure",  # str: JSON {"data": [...], "layout": {...}}, a plotly figure
    "video",  # str: the data URI of an encoded video
    "audio",  # str: the data URI of an encoded sound
    "any",  # not declared: the first value decides
]
"""What shape of value a meter output is; it decides which plots can draw it."""


class Datum(msgspec.Struct, frozen=True):
    """One value that is not a scalar: an own, read-only array, or a string (kinds text, table, figure, video,
    audio).

    Arrays are C-contiguous and little-endian. Images hold uint8. `captions` are what is said about the value: one of
    an image or histogram, one of each image of a batch.
    """

    name: str
    kind: Kind
    value: np.ndarray[Any, Any] | str
    captions: tuple[str, ...] = ()


class Scalars(Mapping[str, float]):
    """Many scalars of one record: `names` that it shares with others, and their values, a (N,) float64 array.

    It is a mapping like any other. Who has use for the array finds it here, and need not look at one name after the
    other.

    >>> scalars = Scalars(("loss", "acc"), np.array([0.5, 0.75]))
    >>> scalars["acc"], scalars == {"loss": 0.5, "acc": 0.75}
    (0.75, True)
    """

    __slots__ = ("_dict", "array", "names")

    def __init__(self, names: tuple[str, ...], array: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self.names = names
        self.array = array
        self._dict: dict[str, float] | None = None

    def as_dict(self) -> dict[str, float]:
        """The same as a dict."""
        if self._dict is None:
            self._dict = dict(zip(self.names, self.array.tolist(), strict=True))
        return self._dict

    def __getitem__(self, name: str) -> float:
        return self.as_dict()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def items(self) -> ItemsView[str, float]:
        """As a dict's, which are faster than a mapping's."""
        return self.as_dict().items()

    def values(self) -> ValuesView[float]:
        """As a dict's."""
        return self.as_dict().values()

    def __repr__(self) -> str:
        return repr(self.as_dict())


class Record(msgspec.Struct, frozen=True, gc=False):
    """What one `log` call measured: `values` {output name: float}, `data` the rest. `time` is unix seconds, UTC.

    Records hold no cycles, so the garbage collector is spared them (gc=False): tens of thousands may be queued.
    """

    step: Step
    time: float
    values: Mapping[str, float] = {}
    data: tuple[Datum, ...] = ()


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing a meter yields. `name` is the suffix after the meter's name ('' for the primary one, '.std', '@5').

    Outputs that are not `drawn` by default still go to the log (a line plot draws '.std' only as a band).
    `shape`, where known before training, has None for free axes.
    """

    name: str = ""
    kind: Kind = "scalar"
    unit: str = ""
    drawn: bool = True
    shape: tuple[int | None, ...] | None = None


class PlotDef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One window as declared: `type` names a plot type, `opts` are its options, `x` is step, time or a meter's name."""

    name: str
    type: str = "line"
    opts: dict[str, Any] = {}
    x: str = "step"
    max_points: int = 2000


class MeterDef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One meter as it travels: what feeds plot `target`, or with '' no window. `labels` name the entries of a vector,
    `display` its look."""

    name: str
    type: str
    target: str
    outputs: tuple[Output, ...] = (Output(),)
    labels: tuple[str, ...] = ()
    display: dict[str, Any] = {}


class Layout(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How windows are placed: `columns` side by side, each `width` x `height` pixels, in `order` (plot names)."""

    columns: int | None = None
    width: int | None = None
    height: int | None = None
    order: tuple[str, ...] = ()


class Definition(msgspec.Struct, frozen=True):
    """The dashboard in force from `time` on; a later one replaces it whole."""

    time: float
    plots: tuple[PlotDef, ...]
    meters: tuple[MeterDef, ...]
    layout: Layout = Layout()


class Event(msgspec.Struct, frozen=True):
    """Something that happened to the run: `kind` is 'nonfinite', 'drops', 'status' …, `info` plain JSON data."""

    time: float
    kind: str
    info: dict[str, Any]
    step: Step | None = None


class End(msgspec.Struct, frozen=True):
    """The last line of a segment closed in order: `status` is 'finished', 'crashed' or 'forked'."""

    time: float
    status: str = "finished"


Item = Record | Definition | Event | End
"""Anything a pipe carries and a sink is given."""


ITEM_BYTES = 512
"""What one queued record of up to eight scalars is taken to weigh (tracemalloc: 320 bytes at one, 415 at five, 576 at
eight)."""


def weight(item: Item) -> int:
    """Bytes of memory an item holds beyond `ITEM_BYTES`: its arrays, strings and scalars past the eighth.

    >>> weight(Record(0, 0.0, {"loss": 1.0}))
    0
    """
    if not isinstance(item, Record):
        return 0
    scalars = item.values.array.nbytes if type(item.values) is Scalars else max(0, len(item.values) - 8) * 64
    return scalars + sum(len(d.value) if isinstance(d.value, str) else d.value.nbytes for d in item.data)


def is_finite(record: Record) -> bool:
    """True where every scalar is finite; one sum tells, unless it overflows.

    >>> is_finite(Record(0, 0.0, {"a": 1.0})), is_finite(Record(0, 0.0, {"a": float("inf")}))
    (True, False)
    """
    values = record.values
    if type(values) is Scalars:
        return bool(np.isfinite(values.array).all())
    total = sum(values.values())
    return total - total == 0.0


def are_finite(records: Sequence[Record]) -> bool:
    """True only where every scalar of all of them is finite: one sum in C tells, a third faster than one for each.

    >>> fine, not_fine = Record(0, 1.0, {"a": 1.0}), Record(1, 1.0, {"a": float("nan")})
    >>> are_finite([fine, fine]), are_finite([fine, not_fine])
    (True, False)
    """
    values = [record.values for record in records]
    if set(map(type, values)) != {dict}:
        return not values
    try:
        total = sum(map(sum, map(dict.values, cast(list[dict[str, float]], values))))
    except (OverflowError, TypeError):  # an int beyond every float, or what is no number
        return False
    return total - total == 0.0


class Panel(msgspec.Struct, frozen=True):
    """One window ready to send: plotly's `data` and `layout`, or one visdom pane such as an image or a text.

    Plain JSON data throughout (str, float, int, bool, None, list, dict): non-finite numbers are already None.
    """

    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    opts: dict[str, Any]
