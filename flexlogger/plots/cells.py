"""What stands in the cells of a table: numbers, text, pictures."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import Any

import numpy as np

from flexlogger.plots.pixels import bytes_of, data_uri, pillow, shrink
from flexlogger.plots.style import MUTED, compact

TEXT = 1000
"""Characters of a cell that are shown."""
_LARGE, _SMALL = 160, 64
"""Pixels of a picture's longer side: a larger one is sent smaller, a smaller one is shown larger."""


def read(cell: Any) -> Any:
    """Return a cell as it is shown: {"number": "NaN"} is the number that JSON has no word for.

    >>> read({"number": "-Infinity"}), read("NaN")
    (-inf, 'NaN')
    """
    if isinstance(cell, dict) and set(cell) == {"number"}:
        try:
            return float(cell["number"])
        except (TypeError, ValueError):
            return cell
    return cell


def is_number(cell: Any) -> bool:
    """Whether a cell stands on the right."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def shown(cell: Any, raw: bool = False) -> str:
    """Return a cell as HTML: numbers short, nothing for null, pictures small, text escaped unless `raw`.

    >>> shown("<b>"), shown(0.123456), shown(float("nan")), shown(None)
    ('&lt;b&gt;', '0.1235', 'nan', '')
    """
    if cell is None:
        return ""
    if is_number(cell):
        return compact(cell) if isinstance(cell, int) or math.isfinite(cell) else str(cell)
    if isinstance(cell, dict) and "image" in cell:
        return _picture(str(cell["image"]), str(cell.get("caption", "")))
    text = str(cell)
    if raw:
        return text
    more = f" … ({len(text):,} characters)" if len(text) > TEXT else ""
    return html.escape(text[:TEXT] + more)


def _picture(uri: str, caption: str) -> str:
    """Return an image of a data URI, decoded and made anew, so that what is no picture does not reach the page."""
    try:
        with pillow().open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2], validate=True))) as picture:
            image = bytes_of(np.asarray(picture.convert("RGBA" if "A" in picture.getbands() else "RGB")))
    except (OSError, ValueError, SyntaxError):
        return f'<span style="color:{MUTED}">no image</span>'
    longer = max(image.shape[:2])
    sharp = f"{'height' if image.shape[0] == longer else 'width'}:{_SMALL}px;image-rendering:pixelated"
    style = f"display:block;margin:2px 0;{sharp if longer < _SMALL else f'max-height:{_LARGE}px'}"
    said = html.escape(caption[:TEXT])
    below = f'<div style="color:{MUTED};font-size:11px">{said}</div>' if said else ""
    return f'<img src="{data_uri(shrink(image, _LARGE / longer))}" alt="{said}" style="{style}">{below}'
