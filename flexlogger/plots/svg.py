"""A drawing in SVG."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.media import FILL, inset
from flexlogger.plots.text import page
from flexlogger.plots.window import Window
from flexlogger.records import Panel

_DRAWING = re.compile(r"<svg\b.*</svg\s*>", re.DOTALL)
_SPACE = ' xmlns="http://www.w3.org/2000/svg"'


class SvgPlot:
    """The latest drawing of the first meter that has one. It is shown as an image: browsers run no script in that and
    fetch nothing for it."""

    def draw(self, window: Window) -> Panel:
        """Draw it, as large as its window."""
        texts = window.values("text")
        if not texts:
            return page(window, "")
        uri = base64.b64encode(drawing(str(texts[0][2].value)).encode()).decode()
        return page(window, inset(f'<img style="{FILL}" alt="" src="data:image/svg+xml;base64,{uri}">'))


def drawing(text: str) -> str:
    """Return the SVG element in a text; raise ValueRefusedError where there is none or it is not well formed.

    >>> drawing("<?xml version='1.0'?><svg width='9' height='9'></svg>")
    '<svg xmlns="http://www.w3.org/2000/svg" width=\\'9\\' height=\\'9\\'></svg>'
    """
    found = _DRAWING.search(text)
    if found is None:
        raise ValueRefusedError(f"expected a drawing, <svg>…</svg>, got {text[:40]!r}")
    svg = found[0]
    head = svg[: svg.find(">") + 1]
    if "xmlns=" not in head:
        svg = "<svg" + _SPACE + svg[len("<svg") :]
    try:
        ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueRefusedError(f"expected well-formed SVG, but {error}") from error
    return svg
