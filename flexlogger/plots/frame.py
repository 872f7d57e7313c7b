"""How large the dashboard's page makes the pane of an image, and how much of it is seen."""

from __future__ import annotations

import msgspec

from flexlogger.plots.style import size
from flexlogger.plots.window import Window

# Measured in the page of visdom 0.2.4: panes are whole rows of 15 pixels less a gap of 10, and a caption adds a row.
_ROW, _GAP, _TITLE, _CAPTION = 15, 10, 14, 20
_SIDES = (180, 640)  # an image's pane is neither smaller than its title nor larger than its neighbours can bear


class Frame(msgspec.Struct, frozen=True):
    """The size to ask for, `width` and `height`, and what it comes to: (height, width) of the `whole` picture, of
    which the upper `shown` ones are seen. All in pixels of the page."""

    width: int
    height: int
    whole: tuple[int, int]
    shown: tuple[int, int]

    def scale(self, height: int, width: int) -> float:
        """Return by how much an image has to be enlarged to fill what is seen."""
        return min(self.shown[0] / height, self.shown[1] / width)


def frame_for(window: Window, height: int, width: int, lines: int = 0) -> Frame:
    """Return the frame of an image with a caption of some lines: as large as was asked for; where that leaves a side
    open, as the image is.

    >>> from flexlogger.records import PlotDef
    >>> frame = frame_for(Window(PlotDef("cat", "image"), ()), 240, 320)
    >>> frame.width, frame.height, frame.shown
    (320, 240, (246, 320))
    """
    asked = size(window)
    room = asked["height"] - (_ROW if lines else 0) if "height" in asked else None
    if room is not None and "width" in asked:
        return _frame(asked["width"], room, lines)
    if room is not None:
        return _frame(round(_frame(0, room, lines).shown[0] * width / height), room, lines)
    across, down = (asked["width"], round(asked["width"] * height / width)) if asked else fitted(width, height)
    return _frame(across, down + (_CAPTION * lines - _ROW if lines else 0), lines)


def _frame(width: int, height: int, lines: int) -> Frame:
    rows = -(-(height + _TITLE + _GAP) // _ROW) + bool(lines)
    pane = rows * _ROW - _GAP
    return Frame(width, height, (pane + 1, width + 1), (pane - _TITLE - _CAPTION * lines, width))


def fitted(width: int, height: int) -> tuple[int, int]:
    """Return the size of a pane for an image: its own, scaled so that both sides lie within bounds where they can.

    >>> fitted(1280, 640), fitted(60, 60), fitted(300, 200)
    ((640, 320), (180, 180), (300, 200))
    """
    low, high = _SIDES
    scale = min(high / max(width, height), max(1.0, low / min(width, height)))
    return max(low, round(width * scale)), max(low // 2, round(height * scale))
