"""A batch of images as one grid."""

from __future__ import annotations

import numpy as np

from flexlogger.plots.image import ImagePlot, pane
from flexlogger.plots.pixels import LARGEST, bytes_of, enlarge, factor_for, grid
from flexlogger.plots.window import Window
from flexlogger.records import Panel

_WIDE = 600  # pixels that a grid of small images is enlarged to


class ImagesPlot:
    """The latest batch of the first meter that has one, `nrow` images side by side."""

    def draw(self, window: Window) -> Panel:
        """Draw the grid. What would make it longer than 4,096 pixels is left out, and the caption says so."""
        batches = window.values("images", "image")
        if not batches or not np.size(batches[0][2].value):
            return ImagePlot().draw(window)
        _, _, latest = batches[0]
        batch = np.asarray(latest.value)
        images = [bytes_of(image) for image in (batch if latest.kind == "images" else [batch])]
        opts = window.plot.opts
        nrow, padding, labels = min(opts.get("nrow", 8), len(images)), opts.get("padding", 2), opts.get("labels", ())
        height, width = images[0].shape[:2]
        factor = factor_for(height, width, _WIDE // nrow)
        fits = max(1, LARGEST // (height * factor + padding + (16 if labels else 0))) * nrow
        note = f"first {fits} of {len(images)}" if fits < len(images) else ""
        drawn = grid([enlarge(image, factor) for image in images[:fits]], nrow, padding, labels)
        return pane(window, drawn, latest, note)
