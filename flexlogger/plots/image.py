"""One image."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.pixels import Pixels, bytes_of, data_uri, enlarge, factor_for
from flexlogger.plots.style import size
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

_BLANK = np.full((1, 1, 3), 255, np.uint8)
_SIDES = (180, 640)  # a pane is neither smaller than its title nor larger than its neighbours can bear


class ImagePlot:
    """The latest image of the first meter that has one."""

    enlarges = True

    def draw(self, window: Window) -> Panel:
        """Draw the image; an empty window is blank and of usual size."""
        images = window.values("image", "images")
        if not images:
            return pane(window, _BLANK, None, "no image yet", (320, 320))
        _, _, latest = images[0]
        array = np.asarray(latest.value)
        image = bytes_of(array[0] if latest.kind == "images" and len(array) else array)
        if not image.size:
            return pane(window, _BLANK, latest, "an image without pixels", (320, 320))
        factor = factor_for(*image.shape[:2]) if self.enlarges else 1
        return pane(window, enlarge(image, factor), latest)


def pane(
    window: Window, image: Pixels, latest: Latest | None, note: str = "", fixed: tuple[int, int] | None = None
) -> Panel:
    """Return the panel of an image, `fixed` or as large as the image within reason.

    Its size is always said, because a captioned image without one grows by a row at each refresh.
    """
    opts = window.plot.opts
    width, height = fixed or fitted(image.shape[1], image.shape[0])
    asked = size(window)
    if len(asked) == 1:  # the other side follows the image
        ratio = image.shape[0] / image.shape[1] if fixed is None else 1.0
        width, height = (
            (asked["width"], round(asked["width"] * ratio))
            if "width" in asked
            else (round(asked["height"] / ratio), asked["height"])
        )
    caption = str(opts.get("caption", "")).replace("{step}", f"{latest.step}" if latest is not None else "–")
    content: dict[str, Any] = {"src": data_uri(image, opts.get("jpgquality"))}
    content["caption"] = " · ".join(part for part in (caption, note) if part) or None
    sizes = {"width": width, "height": height} | asked
    return Panel(window.title, [{"type": "image", "content": content}], {}, {"title": window.title, **sizes})


def fitted(width: int, height: int) -> tuple[int, int]:
    """Return the size of a pane for an image: its own, scaled so that both sides lie within bounds where they can.

    >>> fitted(1280, 640), fitted(60, 60), fitted(300, 200)
    ((640, 320), (180, 180), (300, 200))
    """
    low, high = _SIDES
    scale = min(high / max(width, height), max(1.0, low / min(width, height)))
    return max(low, round(width * scale)), max(low // 2, round(height * scale))
