"""What a frame is drawn on: an array of pixels, and text over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

INK: Colour = (43, 47, 54)
MUTED: Colour = (122, 130, 142)
EDGE: Colour = (196, 202, 211)
BLUE: Colour = (0, 114, 178)
WARN: Colour = (194, 24, 91)
"""The colour of what is no number; nothing else has it."""

# Nine points of viridis (van der Walt and Smith, CC0); between them it is close to straight.
_VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 45, 123),
        (59, 82, 139),
        (44, 114, 142),
        (33, 145, 140),
        (40, 174, 128),
        (94, 201, 98),
        (173, 220, 48),
        (253, 231, 37),
    ]
)
_AT = np.linspace(0, 255, len(_VIRIDIS))
VIRIDIS: Pixels = np.stack([np.interp(np.arange(256), _AT, band) for band in _VIRIDIS.T], axis=1).astype(np.uint8)
"""256 colours from low to high."""


class Box(NamedTuple):
    """A part of a frame, in pixels: the first column and row, and those behind the last."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top


class Canvas:
    """A white frame of `width` x `height` pixels with room for lines of text above, below and on the right.

    >>> canvas = Canvas(64, 64)
    >>> canvas.fill(Box(0, 0, 2, 2), BLUE)
    >>> canvas.finish()[0, :3].tolist()
    [[0, 114, 178], [0, 114, 178], [255, 255, 255]]
    """

    def __init__(self, width: int, height: int) -> None:
        self.pixels: Pixels = np.full((height, width, 3), 255, np.uint8)
        self.letter = min(28, max(9, height // 34))
        """Height of a line's letters."""
        self._texts: list[tuple[float, float, str, Colour, str, float]] = []

    @property
    def inside(self) -> Box:
        """What is left for the picture: below two lines, above one, beside eight letters."""
        height, width = self.pixels.shape[:2]
        edge = self.letter // 2
        top, side = round(self.letter * 3.6) + edge, self.letter * 5
        return Box(edge, top, max(width - side, edge + 8), max(height - self.letter * 2, top + 8))

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a part with one colour."""
        self.pixels[box.top : box.bottom, box.left : box.right] = colour

    def paste(self, box: Box, picture: Pixels) -> None:
        """Put a picture of the part's size there."""
        self.pixels[box.top : box.bottom, box.left : box.right] = picture

    def frame(self, box: Box) -> None:
        """Draw a thin line around a part."""
        left, top, right, bottom = box
        for side in (
            Box(left, top, right, top + 1),
            Box(left, bottom - 1, right, bottom),
            Box(left, top, left + 1, bottom),
            Box(right - 1, top, right, bottom),
        ):
            self.fill(side, EDGE)

    def text(
        self, x: float, y: float, text: str, colour: Colour = INK, anchor: str = "la", room: float = math.inf
    ) -> None:
        """Write a line; `anchor` says in Pillow's words which of its points lies at (x, y). Of one that is longer than
        `room` the middle is left out."""
        self._texts.append((x, y, text, colour, anchor, room))

    def finish(self) -> Pixels:
        """The frame as (height, width, 3) of uint8."""
        if not self._texts:
            return self.pixels
        from PIL import Image, ImageDraw

        picture = Image.fromarray(self.pixels)
        draw = ImageDraw.Draw(picture)
        font = _font(self.letter)
        for x, y, text, colour, anchor, room in self._texts:
            draw.text((x, y), _fitting(text, room, font.getlength), fill=colour, font=font, anchor=anchor)
        return np.asarray(picture)


def _fitting(text: str, room: float, length: Callable[[str], float]) -> str:
    """A line without so much of its middle that it fits: what a name ends with tells as much as its beginning."""
    short, kept = text, len(text)
    while length(short) > room and kept:
        kept -= 1
        short = f"{text[: (kept + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - kept // 2 :]}"
    return short


@lru_cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def short(value: float) -> str:
    """A number as an axis says it.

    >>> short(0.0), short(-1234567.0), short(0.125)
    ('0', '-1.23e+06', '0.125')
    """
    return f"{value:.3g}"


def ends(low: float, high: float) -> tuple[str, str]:
    """Both ends of an axis, with as many digits as it takes to tell them apart.

    >>> ends(0.0, 0.125), ends(1000001.0, 1000002.0), ends(3.0, 3.0)
    (('0', '0.125'), ('1000001', '1000002'), ('3', '3'))
    """
    digits = 3
    while high > low and f"{low:.{digits}g}" == f"{high:.{digits}g}" and digits < 9:
        digits += 1
    return f"{low:.{digits}g}", f"{high:.{digits}g}"
