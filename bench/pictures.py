"""A picture per table, of the figures that the table shows."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from bench.figures import short, shown_middle
from bench.results import Picture, Table

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}
FAR = 20
"""Times the smallest bar that the largest is, from which on the axis is logarithmic."""
LEAST = 0.01
"""On a logarithmic axis what is less is drawn as this."""


def draw(table: Table, picture: Picture, path: Path) -> None:
    """Draw a table into a PNG file."""
    with context(STYLE):
        figure = Figure(dpi=110, layout="constrained")
        axes = figure.subplots()
        height = _lines(axes, table, picture) if picture.over else _bars(axes, table, picture)
        figure.set_size_inches(8, height)
        figure.suptitle(picture.title, x=0.01, ha="left", fontsize=10)
        axes.grid(axis="both" if picture.over else "x", color="0.9")
        labels = axes.get_legend_handles_labels()[1]
        if len(labels) > 1:
            figure.legend(loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
        figure.savefig(path, metadata={"Software": None})


def _bars(axes: Axes, table: Table, picture: Picture) -> float:
    """One group of horizontal bars a row; on a logarithmic axis where they differ by powers of ten."""
    rows = [(row[0], figures) for row in reversed(table.rows) if (figures := _figures(table, row, picture.columns))]
    drawn = [figure for _, figures in rows for figure in figures.values()]
    far = max(drawn, default=0.0) > FAR * max(LEAST, min(drawn, default=0.0))
    thick = 0.8 / len(picture.columns)
    for index, column in enumerate(picture.columns):
        bars = {at: figures[column] for at, (_, figures) in enumerate(rows) if column in figures}
        places = [at + 0.4 - thick * (index + 0.5) for at in bars]
        shown = axes.barh(
            places, [max(LEAST, figure) if far else figure for figure in bars.values()], thick * 0.9, label=column
        )
        axes.bar_label(shown, list(map(short, bars.values())), padding=2, fontsize=7)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    if far:
        axes.set_xscale("log")
    axes.margins(x=0.1)
    less = far and min(drawn) < LEAST
    axes.set_xlabel(f"{picture.unit} (less than {LEAST} is drawn as that)" if less else picture.unit)
    return 1.2 + max(0.3, 0.16 * len(picture.columns)) * len(rows)


def _lines(axes: Axes, table: Table, picture: Picture) -> float:
    lines: dict[str, dict[float, float]] = {}
    for row in table.rows:
        point = _figures(table, row, [picture.over, *picture.columns])
        if len(point) == 2:
            lines.setdefault(row[0], {})[point[picture.over]] = point[picture.columns[0]]
    for name, points in lines.items():
        axes.plot(list(points), list(points.values()), "o-", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(picture.over)
    axes.set_ylabel(picture.unit)
    return 4.0


def _figures(table: Table, row: list[str], columns: list[str]) -> dict[str, float]:
    """The figures that a row shows in some columns."""
    shown = {column: shown_middle(row[table.columns.index(column)]) for column in columns}
    return {column: figure for column, figure in shown.items() if figure is not None}
