"""A picture per table."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from bench.results import Plot

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}


def draw(plot: Plot, path: Path) -> None:
    """Draw a plot into a PNG file."""
    with context(STYLE):
        figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
        axes = figure.subplots()
        (_bars if plot.kind == "bars" else _lines)(axes, plot)
        axes.set_title(plot.title, loc="left")
        axes.grid(axis="x" if plot.kind == "bars" else "both", color="0.9")
        axes.legend(frameon=False)
        figure.savefig(path, metadata={"Software": None})


def _bars(axes: Axes, plot: Plot) -> None:
    """One group of horizontal bars a label, on a logarithmic axis: contenders differ by powers of ten."""
    labels = list(dict.fromkeys(label for bars in plot.series.values() for label in bars))[::-1]
    height = 0.8 / len(plot.series)
    for index, (name, bars) in enumerate(plot.series.items()):
        places = [labels.index(label) + 0.4 - height * (index + 0.5) for label in bars]
        shown = axes.barh(places, list(bars.values()), height * 0.9, label=name)
        axes.bar_label(shown, fmt=lambda figure: f"{figure:.3g}", padding=2, fontsize=7)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xscale("log")
    axes.set_xlabel(plot.ylabel)


def _lines(axes: Axes, plot: Plot) -> None:
    for name, points in plot.series.items():
        xs = [float(x) for x in points]
        axes.plot(xs, list(points.values()), "o-", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(plot.xlabel)
    axes.set_ylabel(plot.ylabel)
