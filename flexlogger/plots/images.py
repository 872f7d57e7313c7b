"""A batch of images as one grid."""

from __future__ import annotations

import numpy as np

from flexlogger.plots.image import ImagePlot, pane
from flexlogger.plots.pixels import LARGEST, bytes_of, enlarge, grid
from flexlogger.plots.style import size
from flexlogger.plots.window import Window
from flexlogger.records import Panel

_WIDE = 600  # pixels that a grid of small images is enlarged to where no width is asked for
_TEXT = 12  # height of a label in pixels of the pane


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
        wide = size(window).get("width", _WIDE)
        factor = max(1, (wide // nrow - padding) // width)
        shrink = max(1.0, nrow * (width * factor + padding) / wide)  # labels are as legible as the pane allows
        text = round(_TEXT * shrink)
        fits = max(1, LARGEST // (height * factor + padding + (round(text * 1.45) if labels else 0))) * nrow
        note = f"first {fits} of {len(images)}" if fits < len(images) else ""
        drawn = grid([enlarge(image, factor) for image in images[:fits]], nrow, padding, labels, text)
        return pane(window, drawn, latest, note, enlarges=False)
