"""A figure of matplotlib's, already rendered when it was added."""

from __future__ import annotations

from flexlogger.plots.image import ImagePlot


class MatplotlibPlot(ImagePlot):
    """The latest figure, pixel for pixel, or smaller where its pane is."""

    drawn_as_pixels = False
