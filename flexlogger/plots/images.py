"""A batch of images as one grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexlogger.plots.frame import frame_for
from flexlogger.plots.image import ImagePlot, pane
from flexlogger.plots.pixels import LARGEST, STRIP, bytes_of, enlarge, grid
from flexlogger.plots.style import size
from flexlogger.plots.window import Window
from flexlogger.records import Panel

_LETTER = 7  # pixels that a letter of a label takes
_WIDE = 600  # pixels that a grid of small images is enlarged to where no size is asked for


class _Empty(ImagePlot):
    blank = np.full((340, _WIDE, 3), 255, np.uint8)


class ImagesPlot:
    """The latest batch of the first meter that has one, `nrow` images side by side."""

    def draw(self, window: Window) -> Panel:
        """Draw the grid. What would make it longer than 4,096 pixels is left out, and the caption says so."""
        batches = window.values("images", "image")
        if not batches or not np.size(batches[0][2].value):
            return _Empty().draw(window)
        _, _, latest = batches[0]
        batch = np.asarray(latest.value)
        images = [bytes_of(image) for image in (batch if latest.kind == "images" else [batch])]
        opts = window.plot.opts
        labels = opts.get("labels") or latest.captions
        nrow, padding = min(opts.get("nrow") or _across(latest.captions), len(images)), opts.get("padding", 2)
        height, width = images[0].shape[:2]
        scale = _scale(window, -(-len(images) // nrow), nrow, height, width, STRIP if labels else 0)
        text = max(1.0, 1 / scale)
        row = round(height * max(1.0, scale)) + padding + (round(STRIP * text) if labels else 0)
        fits = max(1, LARGEST // row) * nrow
        note = f"first {fits} of {len(images)}" if fits < len(images) else ""
        drawn = grid([enlarge(image, scale) for image in images[:fits]], nrow, padding, labels, text)
        return pane(window, drawn, latest, note)


def _across(captions: Sequence[str]) -> int:
    """Return how many images stand side by side where nobody said: as many, up to 8, as their captions leave room."""
    return max(1, min(8, _WIDE // (_LETTER * max(map(len, captions), default=1))))


def _scale(window: Window, rows: int, nrow: int, height: int, width: int, strip: int) -> float:
    """Return by how much images have to be enlarged for the grid to fill its pane, padding and a label's strip over
    each included."""
    opts, asked = window.plot.opts, size(window)
    padding = int(opts.get("padding", 2))
    across: float = max(1.0, (asked.get("width", _WIDE) - padding) / nrow - padding) / width
    across = min(across, LARGEST / height)
    if "height" not in asked:
        return across
    shown = frame_for(window, rows * height, nrow * width, bool(opts.get("caption"))).shown[0]
    down = max(1.0, (shown - padding) / rows - padding - strip) / height
    return min(down, across) if "width" in asked else down
