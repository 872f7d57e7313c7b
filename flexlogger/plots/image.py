"""One image."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.frame import Frame, frame_for
from flexlogger.plots.pixels import LARGEST, Pixels, bytes_of, data_uri, enlarge, factor_for, on_canvas, shrink
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

_LETTER, _LINES = 8, 3  # pixels of the page that a letter of a caption takes, and the lines that it may fill
_BLANK = np.full((320, 320, 3), 255, np.uint8)


class ImagePlot:
    """The latest image of the first meter that has one."""

    blank = _BLANK
    """What an empty window shows: it settles the size of a pane, which the dashboard changes only when reloaded."""
    drawn_as_pixels = True
    """Tiny images are enlarged with sharp pixels; large ones are sent whole, for people to zoom into."""

    def draw(self, window: Window) -> Panel:
        """Draw the image; an empty window is blank and of usual size."""
        images = window.values("image", "images")
        if not images:
            return pane(window, self.blank, None, "no image yet")
        _, _, latest = images[0]
        array = np.asarray(latest.value)
        image = bytes_of(array[0] if latest.kind == "images" and len(array) else array)
        if not image.size:
            return pane(window, _BLANK, latest, "an image without pixels")
        own = latest.captions[0] if latest.captions else ""
        if self.drawn_as_pixels:
            return pane(window, enlarge(image, factor_for(*image.shape[:2])), latest, own)
        return pane(window, image, latest, own, smooth=True)


def pane(window: Window, image: Pixels, latest: Latest | None, note: str = "", smooth: bool = False) -> Panel:
    """Return the panel of an image: in the middle of a white picture that fills its pane, made smaller for it where
    that is to be `smooth`.

    The dashboard scales a picture to the whole pane, of which title and caption cover the lower end, and where the
    picture leaves the pane's sides free it shows the caption a second time.
    """
    opts = window.plot.opts
    caption = str(opts.get("caption", "")).replace("{step}", f"{latest.step}" if latest is not None else "–")
    told = " · ".join(part for part in (caption, note) if part)
    frame, told = _frame(window, image, " ".join(told.split()))
    image = shrink(image, frame.scale(*image.shape[:2])) if smooth else image
    content: dict[str, Any] = {"src": data_uri(_framed(image, frame), opts.get("jpgquality")), "caption": told or None}
    sizes = {"title": window.title, "width": frame.width, "height": frame.height}
    return Panel(window.title, [{"type": "image", "content": content}], {}, sizes)


def _frame(window: Window, image: Pixels, told: str) -> tuple[Frame, str]:
    """Return the frame of an image, and of its caption what there is room for."""
    height, width = image.shape[:2]
    letters = max(1, frame_for(window, height, width, bool(told)).width // _LETTER)
    told = told if len(told) <= letters * _LINES else told[: letters * _LINES - 1] + "…"
    return frame_for(window, height, width, -(-len(told) // letters)), told


def _framed(image: Pixels, frame: Frame) -> Pixels:
    height, width = image.shape[:2]
    image = shrink(image, LARGEST * frame.scale(height, width) / max(frame.whole))
    height, width = image.shape[:2]
    scale = max(frame.scale(height, width), max(frame.whole) / LARGEST)  # a line of pixels has no lower scale to go to
    whole = (max(height, round(frame.whole[0] / scale)), max(width, round(frame.whole[1] / scale)))
    top = max(0, round(frame.shown[0] / scale) - height) // 2
    return on_canvas(image, whole, top, (whole[1] - width) // 2)
