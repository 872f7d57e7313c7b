"""One image."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.pixels import Pixels, bytes_of, data_uri, enlarge, mounted
from flexlogger.plots.style import size
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

_BLANK = np.full((1, 1, 3), 255, np.uint8)
_CAPTION = 22
"""Pixels at the bottom of a pane that the dashboard writes a caption over."""


class ImagePlot:
    """The latest image of the first meter that has one; tiny ones are enlarged, each pixel to a square."""

    enlarges = True

    def draw(self, window: Window) -> Panel:
        """Draw the image; an empty window is blank and of usual size."""
        images = window.values("image", "images")
        if not images:
            return pane(window, _BLANK, None, "no image yet")
        _, _, latest = images[0]
        array = np.asarray(latest.value)
        image = bytes_of(array[0] if latest.kind == "images" and len(array) else array)
        if not image.size:
            return pane(window, _BLANK, latest, "an image without pixels")
        return pane(window, image, latest, enlarges=self.enlarges)


def pane(window: Window, image: Pixels, latest: Latest | None, note: str = "", enlarges: bool = True) -> Panel:
    """Return the panel of an image: as large as the window asks, or as the image is within reason.

    Its size is always said, because a captioned image without one grows by a row at each refresh. The image is mounted
    on white in the pane's proportions, because the dashboard writes the caption over the picture.
    """
    opts = window.plot.opts
    caption = str(opts.get("caption", "")).replace("{step}", f"{latest.step}" if latest is not None else "–")
    caption = " · ".join(part for part in (caption, note) if part)
    strip = _CAPTION if caption else 0
    width, height = pane_size(window, image.shape[1], image.shape[0], strip)
    scale = min(width / image.shape[1], max(1, height - strip) / image.shape[0])
    if enlarges and scale > 1:
        factor = int(np.ceil(scale))
        image, scale = enlarge(image, factor), scale / factor
    picture = mounted(image, round(width / scale), round(height / scale), round(strip / scale))
    content: dict[str, Any] = {"src": data_uri(picture, opts.get("jpgquality")), "caption": caption or None}
    sizes = {"title": window.title, "width": width, "height": height}
    return Panel(window.title, [{"type": "image", "content": content}], {}, sizes)


def pane_size(window: Window, width: int, height: int, strip: int) -> tuple[int, int]:
    """Return the size of a pane in pixels: as asked for; a side that is not follows the image's proportions."""
    asked = size(window)
    if "width" in asked and "height" in asked:
        return asked["width"], asked["height"]
    if "width" in asked:
        return asked["width"], round(asked["width"] * height / width) + strip
    if "height" in asked:
        return round((asked["height"] - strip) * width / height), asked["height"]
    fit_width, fit_height = fitted(width, height)
    return fit_width, fit_height + strip


def fitted(width: int, height: int) -> tuple[int, int]:
    """Return a size in the proportions of an image, with its longer side between 320 and 640 pixels.

    >>> fitted(1280, 640), fitted(8, 8), fitted(400, 300), fitted(1000, 10)
    ((640, 320), (320, 320), (400, 300), (640, 90))
    """
    longer = max(width, height)
    scale = min(640, max(320, longer)) / longer
    return max(180, round(width * scale)), max(90, round(height * scale))
