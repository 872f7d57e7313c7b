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
DOCTYPE = "<!doctype html>"
"""What a text begins with that is HTML to show; any other text is shown as it is written."""
# In a frame without a single permission no script runs, no form is sent and nothing leads away, whatever the server of
# the dashboard allows; the policy keeps the frame from fetching anything.
_POLICY = "default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'"
_FRAME = "display:block;width:100%;border:0;background:#ffffff"
_SHARE = "height:320px"  # of a frame that shares its window


class TextPlot:
    """The latest text of each meter, shown as it is written; below it the latest scalars."""

    def draw(self, window: Window) -> Panel:
        """Draw the texts in the order of the meters, escaped unless `html: true` passes them on; a page of HTML is in
        a frame of its own."""
        texts, scalars = window.values("text"), window.values("scalar")
        passed_on = bool(window.plot.opts.get("html", False))
        parts = []
        for name, _, latest in texts:
            head = f'<div style="color:{MUTED};font-size:11px">{html.escape(name)}</div>' if len(texts) > 1 else ""
            parts.append(head + _body(str(latest.value), passed_on, alone=len(texts) + len(scalars) == 1))
        for name, _, latest in scalars:
            number = f"{latest.value:.6g}" if isinstance(latest.value, float) else html.escape(str(latest.value))
            parts.append(f'<div>{html.escape(name)} <span style="{TALLY}">{number}</span></div>')
        return page(window, "".join(parts))


def _body(text: str, passed_on: bool, alone: bool) -> str:
    if text[: len(DOCTYPE)].lower() == DOCTYPE:
        guarded = f'{DOCTYPE}<meta http-equiv="Content-Security-Policy" content="{_POLICY}">{text[len(DOCTYPE) :]}'
        style = f"{_FRAME};{'height:100%' if alone else _SHARE}"
        return f'<iframe sandbox="" style="{style}" srcdoc="{html.escape(guarded)}"></iframe>'
    space, body = ("normal", text) if passed_on else ("pre-wrap", html.escape(text))
    return f'<div style="white-space:{space};overflow-wrap:anywhere;font-weight:400">{body}</div>'


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
