"""Panels as they stand in a report: figures are drawn by the page's script, everything else is HTML."""

from __future__ import annotations

import html
from typing import Any

import msgspec

from flexlogger.records import Panel

WIDTH, HEIGHT = 440, 330
"""Pixels of a pane that no size was asked for."""


class Pane(msgspec.Struct, frozen=True):
    """One window in a report: its element's id, its title, the HTML of its card, and, where it is one, the figure that
    is drawn there."""

    id: str
    title: str
    html: str
    figure: dict[str, Any] | None = None


def pane(number: int, panel: Panel) -> Pane:
    """Return the pane of a panel; `number` tells it from the others of its report.

    >>> made = pane(1, Panel("a < b", [{"type": "scatter", "y": [1]}], {}, {"title": "a < b"}))
    >>> made.id, "<h2>a &lt; b</h2>" in made.html, made.figure["data"]
    ('pane-1', True, [{'type': 'scatter', 'y': [1]}])
    """
    first = panel.data[0]
    id = f"pane-{number}"
    kind = first["type"]
    if kind == "text":
        return Pane(id, panel.title, _card(id, panel, _framed(str(first["content"]))))
    if kind == "image":
        return Pane(id, panel.title, _card(id, panel, _picture(first["content"])))
    if kind == "properties":
        return Pane(id, panel.title, _card(id, panel, _properties(first["content"])))
    return Pane(id, panel.title, _card(id, panel, ""), {"data": panel.data, "layout": panel.layout})


def _card(id: str, panel: Panel, body: str) -> str:
    width, height = panel.opts.get("width", WIDTH), panel.opts.get("height", HEIGHT)
    style = f"width:{int(width)}px;height:{int(height)}px"
    inner = f'<div class="pane" id="{id}" style="{style}">{body}</div>'
    return f'<div class="card"><h2>{html.escape(panel.title)}</h2>{inner}</div>'


def _framed(content: str) -> str:
    """Return HTML in a frame without a single permission: it may be anybody's, and is to change nothing outside."""
    return f'<iframe sandbox="" srcdoc="{html.escape(content)}"></iframe>'


def _picture(content: dict[str, Any]) -> str:
    told = html.escape(str(content.get("caption") or ""))
    below = f'<div class="caption">{told}</div>' if told else ""
    return f'<img src="{html.escape(str(content["src"]))}" alt="{told}">{below}'


def _properties(rows: list[dict[str, Any]]) -> str:
    cells = "".join(
        f"<tr><th>{html.escape(str(row['name']))}</th><td>{html.escape(_value(row))}</td></tr>" for row in rows
    )
    return f'<div class="scroll"><table>{cells}</table></div>'


def _value(row: dict[str, Any]) -> str:
    if row["type"] == "select":
        return str(row["values"][row["value"]])
    return {True: "yes", False: "no"}[row["value"]] if row["type"] == "checkbox" else str(row["value"])
