"""Arrays of pixels as the data URIs that a browser shows. Pillow is imported when the first image is drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flexlogger.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

SHARP = 320
"""Images whose longer side is below this are enlarged to about it, each pixel to a square of whole pixels."""
LARGEST = 4096
"""A picture has no side longer than this: a grid leaves images out and says so, a single image is made smaller."""


def pillow() -> Any:
    """Return Pillow's Image module."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("an image plot", "Pillow", "all") from error
    return Image


def bytes_of(image: Any) -> Pixels:
    """Return an image as uint8 (H, W, 3) or (H, W, 4); one channel becomes three, floats are taken as 0 to 1.

    >>> bytes_of(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        scaled = array * 255.0 if array.dtype.kind in "fb" else array
        array = np.clip(np.nan_to_num(scaled), 0, 255).astype(np.uint8)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] in (1, 2):
        array = np.repeat(array[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(array[:, :, :4])


def enlarge(image: Pixels, scale: float) -> Pixels:
    """Make every pixel a rectangle as even as whole pixels allow; a scale below 1 leaves the image as it is.

    >>> enlarge(np.zeros((2, 3, 3), np.uint8), 4).shape, enlarge(np.zeros((2, 3, 3), np.uint8), 1.5).shape
    ((8, 12, 3), (3, 4, 3))
    """
    if scale <= 1:
        return image
    rows, columns = (np.arange(int(side * scale)) * side // int(side * scale) for side in image.shape[:2])
    larger: Pixels = image[rows][:, columns]
    return larger


def factor_for(height: int, width: int, wanted: int = SHARP) -> int:
    """Return the whole number that brings the longer side closest to `wanted` without passing it, at least 1."""
    return max(1, wanted // max(height, width, 1))


def data_uri(image: Pixels, jpeg: int | None = None) -> str:
    """Encode as PNG, or as JPEG of quality `jpeg`."""
    picture: Image = pillow().fromarray(image)
    out = io.BytesIO()
    if jpeg is None:
        picture.save(out, "PNG", compress_level=3)
    else:
        picture.convert("RGB").save(out, "JPEG", quality=min(jpeg, 95))
    kind = "png" if jpeg is None else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def shrink(image: Pixels, scale: float) -> Pixels:
    """Make an image smaller, smoothly; a scale of 1 or more leaves it as it is."""
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    smaller: Pixels = np.asarray(pillow().fromarray(image).resize((width, height), pillow().Resampling.LANCZOS))
    return smaller


def on_canvas(image: Pixels, shape: tuple[int, int], top: int, left: int) -> Pixels:
    """Lay an image on a white canvas of `shape` (height, width); where it is transparent, the white shows.

    >>> on_canvas(np.zeros((1, 1, 3), np.uint8), (2, 2), 0, 1)[:, :, 0].tolist()
    [[255, 0], [255, 255]]
    """
    canvas = np.full((*shape, 3), 255, np.uint8)
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = on_white(image)
    return canvas


STRIP = 16
"""Height of the line that an image's label stands on, in pixels of the page."""


def grid(images: Sequence[Pixels], nrow: int, padding: int, labels: Sequence[Any] = (), text: float = 1.0) -> Pixels:
    """Lay equally large images out on white, `nrow` to a row, each below its label where there are labels.

    `text` is how much larger labels are drawn, for a grid that the page will show that much smaller.
    """
    height, width = images[0].shape[:2]
    strip = round(STRIP * text) if labels else 0
    rows, columns = -(-len(images) // nrow), min(nrow, len(images))
    cell_height, cell_width = height + strip + padding, width + padding
    canvas = np.full((rows * cell_height + padding, columns * cell_width + padding, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top = padding + (index // nrow) * cell_height + strip
        left = padding + (index % nrow) * cell_width
        canvas[top : top + height, left : left + width] = on_white(image)
        if index < len(labels):
            canvas[top - strip : top, left : left + width] = _label(str(labels[index]), strip, width)
    return canvas


def on_white(image: Pixels) -> Pixels:
    """Return the image without its alpha channel."""
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return (image[:, :, :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def _label(text: str, height: int, width: int) -> Pixels:
    image = pillow()
    from PIL import ImageDraw, ImageFont

    picture = image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(height * 11 / 16)
    draw = ImageDraw.Draw(picture)
    text = " ".join(text.split())
    if draw.textlength(text, font) > width:
        text = text[: max(1, int(len(text) * width / draw.textlength(text, font)) - 1)] + "…"
    draw.text((max(0, (width - draw.textlength(text, font)) / 2), 1), text, fill="#2b2f36", font=font)
    return np.asarray(picture, np.uint8)
