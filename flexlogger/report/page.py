"""The page of a report: everything it needs is in it, and its policy lets it run our scripts and fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path

import msgspec

from flexlogger.errors import RunLogError
from flexlogger.report import facts
from flexlogger.report.panes import Pane
from flexlogger.runs.find import FoundRun
from flexlogger.runs.segment import Damage
from flexlogger.server.assets import COMMAND, STATIC, ready

PLOTLY = "js/plotly-plotly.min.js"
"""Where the dashboard's own plotly.js lies among the server's assets."""
_HERE = Path(__file__).parent


def page(found: FoundRun, damage: Damage, panes: Sequence[Pane]) -> str:
    """Return the report of a run as HTML. Raises RunLogError where the dashboard's assets were not fetched."""
    figures = msgspec.json.encode({pane.id: pane.figure for pane in panes if pane.figure is not None}).decode()
    scripts = [plotly(), (_HERE / "page.js").read_text("utf-8")]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{html.escape(found.name)}</title>",
            f"<style>{(_HERE / 'page.css').read_text('utf-8')}</style></head><body>",
            facts.header(found),
            facts.tables(found, damage),
            f'<section class="panels">{"".join(pane.html for pane in panes)}</section>',
            f'<script type="application/json" id="figures">{figures.replace("<", chr(92) + "u003c")}</script>',
            *(f"<script>{script}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


def plotly() -> str:
    """Return the plotly.js that draws the dashboard, so that a report looks the same."""
    if not ready():
        raise RunLogError(f"a report holds the dashboard's plotly.js, which was not fetched yet; run: {COMMAND}")
    return (STATIC / PLOTLY).read_text("utf-8")


def policy(scripts: Sequence[str]) -> str:
    """Return a content security policy under which only these scripts run, and nothing is fetched."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    rules = {
        "default-src": "'none'",
        "script-src": f"{hashes} 'unsafe-eval'",  # plotly compiles functions
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "media-src": "data: blob:",
        "font-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
