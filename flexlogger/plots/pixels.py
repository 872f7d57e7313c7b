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

LARGEST = 4096
"""A grid has no side longer than this; images that do not fit are left out and counted in the caption."""


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


def enlarge(image: Pixels, factor: int) -> Pixels:
    """Make every pixel a square of `factor` x `factor` pixels.

    >>> enlarge(np.zeros((2, 3, 3), np.uint8), 4).shape
    (8, 12, 3)
    """
    return image.repeat(factor, 0).repeat(factor, 1) if factor > 1 else image


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


def mounted(image: Pixels, width: int, height: int, strip: int) -> Pixels:
    """Put an image on the middle of a larger white sheet, above `strip` free rows.

    >>> mounted(np.zeros((2, 2, 3), np.uint8), 4, 3, 1)[:, :, 0].tolist()
    [[255, 0, 0, 255], [255, 0, 0, 255], [255, 255, 255, 255]]
    """
    rows, columns = max(height, image.shape[0] + strip), max(width, image.shape[1])
    if (rows, columns) == image.shape[:2]:
        return image
    sheet = np.full((rows, columns, 3), 255, np.uint8)
    top, left = (rows - strip - image.shape[0]) // 2, (columns - image.shape[1]) // 2
    sheet[top : top + image.shape[0], left : left + image.shape[1]] = on_white(image)
    return sheet


def grid(images: Sequence[Pixels], nrow: int, padding: int, labels: Sequence[Any] = (), text: int = 11) -> Pixels:
    """Lay equally large images out on white, `nrow` to a row, each below its label where there are labels.

    `text` is the height of a label's letters in pixels.
    """
    height, width = images[0].shape[:2]
    strip = round(text * 1.45) if labels else 0
    rows, columns = -(-len(images) // nrow), min(nrow, len(images))
    cell_height, cell_width = height + strip + padding, width + padding
    sheet = np.full((rows * cell_height + padding, columns * cell_width + padding, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top = padding + (index // nrow) * cell_height + strip
        left = padding + (index % nrow) * cell_width
        sheet[top : top + height, left : left + width] = on_white(image)
        if index < len(labels):
            sheet[top - strip : top, left : left + width] = _label(str(labels[index]), strip, width, text)
    return sheet


def on_white(image: Pixels) -> Pixels:
    """Return the image without its alpha channel."""
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return (image[:, :, :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def _label(words: str, height: int, width: int, text: int) -> Pixels:
    image = pillow()
    from PIL import ImageDraw, ImageFont

    picture = image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(text)
    draw = ImageDraw.Draw(picture)
    draw.text((max(0, (width - draw.textlength(words, font)) / 2), 0), words, fill="#2b2f36", font=font)
    return np.asarray(picture, np.uint8)
