"""The scalars of runs as rows for other programs: wide, one row a step, or long, one row a value."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import msgspec
import numpy as np

from flexlogger.errors import UnknownNameError, unknown
from flexlogger.runs.format import jsonable
from flexlogger.runs.reader import Series
from flexlogger.runs.summaries import fits

Curves = Mapping[str, Series]
Row = Sequence[Any]


def chosen(runs: Mapping[str, Curves], globs: Sequence[str]) -> list[str]:
    """Return the names that fit one of the globs, or all without any, in the order in which they were first logged.

    Raises UnknownNameError for a glob that fits nothing.
    """
    names = list(dict.fromkeys(name for curves in runs.values() for name in curves))
    for glob in globs:
        if not any(fits(glob, name) for name in names):
            raise UnknownNameError(unknown("series", glob, names))
    return [name for name in names if not globs or any(fits(glob, name) for glob in globs)]


def wide(runs: Mapping[str, Curves], names: Sequence[str]) -> Iterator[Row]:
    """Yield the head and then one row a run and step, ascending: run, step, and each name's value, None where it has
    none there.

    >>> curves = {"a": Series(np.array([0.0, 1.0]), np.array([0.5, 0.25])), "b": Series(np.ones(1), np.ones(1))}
    >>> list(wide({"r": curves}, ["a", "b"]))
    [['run', 'step', 'a', 'b'], ['r', 0, 0.5, None], ['r', 1, 0.25, 1.0]]
    """
    yield ["run", "step", *names]
    for run, curves in runs.items():
        here = [curves[name] for name in names if name in curves]
        if not here:
            continue
        steps = np.unique(np.concatenate([series.steps for series in here]))
        columns = [_column(curves.get(name), steps) for name in names]
        for row in zip(_steps(steps), *columns, strict=True):
            yield [run, *row]


def long(runs: Mapping[str, Curves], names: Sequence[str]) -> Iterator[Row]:
    """Yield the head and then one row a value, name by name: run, name, step, value.

    >>> list(long({"r": {"a": Series(np.array([0.0]), np.array([0.5]))}}, ["a"]))
    [['run', 'name', 'step', 'value'], ['r', 'a', 0, 0.5]]
    """
    yield ["run", "name", "step", "value"]
    for run, curves in runs.items():
        for name in names:
            if name in curves:
                steps, values = curves[name]
                yield from ([run, name, *pair] for pair in zip(_steps(steps), values.tolist(), strict=True))


def write_csv(rows: Iterable[Row], out: TextIO) -> None:
    """Write rows as CSV: nothing where there is no value; NaN, Infinity and -Infinity where it is not finite."""
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([jsonable(value) if isinstance(value, float) else value for value in row])


def write_json(rows: Iterable[Row], out: TextIO) -> None:
    """Write rows as a JSON list of objects, one a line; values that are not finite are the strings of the log."""
    rows = iter(rows)
    head = [str(key) for key in next(rows)]
    out.write("[")
    for count, row in enumerate(rows):
        plain = [jsonable(value) if isinstance(value, float) else value for value in row]
        filled = {key: value for key, value in zip(head, plain, strict=True) if value is not None}
        out.write((",\n" if count else "\n") + msgspec.json.encode(filled).decode())
    out.write("\n]\n")


def _column(series: Series | None, steps: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    column: list[float | None] = [None] * len(steps)
    if series is not None:
        for place, value in zip(np.searchsorted(steps, series.steps).tolist(), series.values.tolist(), strict=True):
            column[place] = value
    return column


def _steps(steps: np.ndarray[Any, np.dtype[np.float64]]) -> list[int | float]:
    """Whole steps as integers, as they were logged."""
    return [int(step) if step.is_integer() else step for step in steps.tolist()]
