"""Charts of tables and scores, called as wandb.plot calls them: `wandb.log({"roc": wandb.plot.roc_curve(y, p)})`.

Drawn as our own plots are. What is too much for a page is left out, and the chart says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.plots.bar import ticks
from flexlogger.plots.thinning import Floats
from flexlogger.tracking.figures import MAX_POINTS, Chart, drawn, drawn_lines, feed
from flexlogger.tracking.judged import confusion_matrix, pr_curve, roc_curve
from flexlogger.tracking.media import Histogram
from flexlogger.tracking.table import Table

__all__ = ["bar", "confusion_matrix", "histogram", "line", "line_series", "pr_curve", "roc_curve", "scatter"]

MAX_BARS = 200


def line(table: Table, x: str, y: str, stroke: str | None = None, title: str | None = None) -> Chart:
    """Draw column `y` over column `x`, in the order of x; one line for each value of column `stroke`.

    Text as x makes categories. Values of y that are not finite are marked, as on the lines of meters. Past 10,000
    points the lowest and highest of every stretch of x stay. Raises UnknownNameError for a column that is not there,
    ValueRefusedError where y holds no numbers.

    >>> chart = line(Table([[2, 4.0], [1, 1.0]], columns=["x", "y"]), "x", "y", title="squares")
    >>> chart.data[0]["x"], chart.data[0]["y"]
    ([1, 2], [1, 4])
    """
    xs, look = _places(table, x)
    ys = _numbers(table, y)
    kinds = np.array([str(cell) for cell in _column(table, stroke)] if stroke else [y] * len(ys), object)
    series = [(str(kind), xs[kinds == kind], ys[kinds == kind]) for kind in dict.fromkeys(kinds.tolist())]
    return drawn_lines(series, title, {"xlabel": x, "ylabel": y}, look)


def scatter(table: Table, x: str, y: str, title: str | None = None) -> Chart:
    """Draw one point a row. Of more than 10,000, evenly chosen ones are drawn. Raises as `line` does.

    >>> scatter(Table([[2, 4.0], [1, 1.0]], columns=["x", "y"]), "x", "y").data[0]["mode"]
    'markers'
    """
    xs, look = _places(table, x)
    points = np.column_stack((xs, _numbers(table, y)))
    finite = points[np.isfinite(points).all(axis=1)]
    notes = [f"{len(points) - len(finite):,} not finite"] if len(finite) < len(points) else []
    if len(finite) > MAX_POINTS:
        notes.append(f"{MAX_POINTS:,} of {len(finite):,} points, evenly chosen")
        finite = finite[np.linspace(0, len(finite) - 1, MAX_POINTS).round().astype(int)]
    feeds = [feed(y, "points", finite)] if len(finite) else []
    size = 7 if len(finite) <= 1000 else 3
    return drawn("scatter", feeds, title, {"xlabel": x, "ylabel": y, "markersize": size}, notes, look)


def bar(table: Table, label: str, value: str, title: str | None = None) -> Chart:
    """Draw one bar a row, called as column `label` says and as high as column `value` says; the first 200 rows.

    Raises as `line` does.

    >>> bar(Table([["cat", 3], ["dog", 5]], columns=["animal", "n"]), "animal", "n").data[0]["y"]
    [3, 5]
    """
    names, heights = [str(cell) for cell in _column(table, label)], _numbers(table, value)
    notes = [f"first {MAX_BARS:,} of {len(names):,} bars"] if len(names) > MAX_BARS else []
    opts = {"labels": names[:MAX_BARS], "xlabel": label, "ylabel": value}
    return drawn("bar", [feed(value, "vector", heights[:MAX_BARS])] if names else [], title, opts, notes)


def histogram(table: Table, value: str, title: str | None = None) -> Chart:
    """Draw how often the values of a column fall into each of 64 bins. Raises as `line` does.

    >>> sum(histogram(Table([[1], [1], [4]], columns=["n"]), "n").data[0]["y"])
    3
    """
    datum = Histogram(_numbers(table, value)).to_datum(value)
    return drawn("histogram", [feed(value, "histogram", datum.value)], title, {"xlabel": value}, datum.captions)


def line_series(
    xs: Sequence[Any], ys: Sequence[Any], keys: Sequence[Any] | None = None, title: str | None = None, xname: str = "x"
) -> Chart:
    """Draw several lines: each of `ys` over `xs`, or over its own where `xs` holds one sequence a line.

    `keys` are the names of the lines. The first 50 are drawn, with at most 10,000 points together. Raises
    ValueRefusedError for lengths that do not agree.

    >>> [trace["name"] for trace in line_series([0, 1], [[1, 2], [3, 4]], keys=["a", "b"]).data]
    ['a', 'b']
    """
    up = [_floats(values, f"line_series: ys[{index}]") for index, values in enumerate(ys)]
    if len(xs) and np.ndim(xs[0]):
        across = [_floats(values, f"line_series: xs[{index}]") for index, values in enumerate(xs)]
    else:
        across = [_floats(xs, "line_series: xs")] * len(up)
    names = [str(key) for key in keys] if keys is not None else [f"key_{index}" for index in range(len(up))]
    if not len(across) == len(up) == len(names) or [len(x) for x in across] != [len(y) for y in up]:
        got = f"{[len(x) for x in across]} xs, {[len(y) for y in up]} ys and {len(names)} keys"
        raise ValueRefusedError(f"line_series: expected as many xs as ys, and one key a line, but got {got}")
    return drawn_lines(list(zip(names, across, up, strict=True)), title, {"xlabel": xname})


def _column(table: Table, name: str) -> list[Any]:
    if not isinstance(table, Table):
        raise ValueRefusedError(f"plot: expected a Table, but got a {type(table).__name__}; make one with Table(data)")
    if name not in table.columns:
        raise UnknownNameError(f"plot: {unknown('column', str(name), table.columns)}")
    cells: list[Any] = table.get_column(name)
    return cells


def _numbers(table: Table, name: str) -> Floats:
    """Return a column of numbers; a missing one is NaN."""
    cells = _column(table, name)
    strange = next((cell for cell in cells if not _is_number(cell)), None)
    if strange is not None:
        raise ValueRefusedError(f"plot: expected numbers in column {name!r}, but got {str(strange)[:40]!r}")
    return np.array([np.nan if cell is None else float(cell) for cell in cells], np.float64)


def _places(table: Table, name: str) -> tuple[Floats, dict[str, Any]]:
    """Return where the cells of a column stand along an axis, and its ticks where they are categories."""
    cells = _column(table, name)
    if all(map(_is_number, cells)):
        return _numbers(table, name), {}
    places: dict[str, int] = {}
    along = [places.setdefault(str(cell), len(places)) for cell in cells]
    return np.array(along, np.float64), ticks(list(places), len(places))


def _is_number(cell: Any) -> bool:
    return cell is None or isinstance(cell, int | float)


def _floats(values: Any, where: str) -> Floats:
    try:
        array = np.array([float(value) for value in values], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueRefusedError(f"{where}: expected a sequence of numbers, but got {type(values).__name__}") from error
    return array
