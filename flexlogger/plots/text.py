"""Text, or numbers as text."""

from __future__ import annotations

import html
import json
from typing import Any

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.style import EDGE, FONT, INK, MUTED, size
from flexlogger.plots.window import Latest, Window
from flexlogger.records import Panel

# The dashboard's own style sheet makes everything light and cuts off what is too long.
BOX = (
    "height:100%;overflow:auto;padding:8px 12px;box-sizing:border-box;"
    f"color:{INK};background:#ffffff;font:13px/1.5 {FONT}"
)
TALLY = "font-variant-numeric:tabular-nums;font-weight:600"


class TextPlot:
    """The latest text of each meter, shown as it is written; below it the latest scalars."""

    def draw(self, window: Window) -> Panel:
        """Draw the texts in the order of the meters, escaped unless `html: true` passes them on."""
        texts = window.values("text")
        passed_on = bool(window.plot.opts.get("html", False))
        parts = []
        for name, _, latest in texts:
            body = str(latest.value) if passed_on else html.escape(str(latest.value))
            head = f'<div style="color:{MUTED};font-size:11px">{html.escape(name)}</div>' if len(texts) > 1 else ""
            space = "normal" if passed_on else "pre-wrap"
            parts.append(f'{head}<div style="white-space:{space};overflow-wrap:anywhere;font-weight:400">{body}</div>')
        for name, _, latest in window.values("scalar"):
            number = f"{latest.value:.6g}" if isinstance(latest.value, float) else html.escape(str(latest.value))
            parts.append(f'<div>{html.escape(name)} <span style="{TALLY}">{number}</span></div>')
        return page(window, "".join(parts))


def page(window: Window, body: str) -> Panel:
    """Return the panel of a piece of HTML, in a box that scrolls."""
    body = body or f'<span style="color:{MUTED}">no values yet</span>'
    content = f'<div style="{BOX};border-color:{EDGE}">{body}</div>'
    return Panel(window.title, [{"type": "text", "content": content}], {}, {"title": window.title, **size(window)})


def mapping(latest: Latest, wanted: str) -> dict[str, Any]:
    """Read a value that travels as JSON text; raise `ValueRefusedError` where it is no JSON mapping."""
    try:
        found = json.loads(str(latest.value))
    except ValueError as error:
        raise ValueRefusedError(f"expected JSON of {wanted}, but it does not parse: {error}") from error
    if not isinstance(found, dict):
        raise ValueRefusedError(f"expected JSON of {wanted}, but got a {type(found).__name__}")
    return found
