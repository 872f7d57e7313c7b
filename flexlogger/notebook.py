"""How a notebook shows a run: what it is called, where it is drawn, and its last values."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 50
"""Values that are shown at most."""


def run_html(title: str, url: str | None, values: Iterable[tuple[str, str]]) -> str:
    """Return a heading with a link, and a table of names and values; of many, how many more there are.

    >>> run_html("demo/first", None, [("loss", "0.5")])
    '<div><b>demo/first</b> <table><tr><td>loss</td><td>0.5</td></tr></table></div>'
    """
    import html  # hundreds of names of letters, which only notebooks need

    rows = list(values)
    cells = [f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows[:SHOWN]]
    if len(rows) > SHOWN:
        cells.append(f"<tr><td>and {len(rows) - SHOWN} more</td><td></td></tr>")
    link = f'<a href="{html.escape(url)}" target="_blank">{html.escape(url)}</a>' if url else ""
    return f"<div><b>{html.escape(title)}</b> {link}<table>{''.join(cells)}</table></div>"
