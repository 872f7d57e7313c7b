"""What a report says about a run besides its windows: two tables of what it is, its config, what it came to."""

from __future__ import annotations

import html
import shlex
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from flexlogger.runs.find import FoundRun
from flexlogger.runs.query import keys, lookup
from flexlogger.runs.secrets import hide
from flexlogger.runs.segment import Damage


def header(found: FoundRun) -> str:
    """Return the run's name, status, tags and notes as HTML."""
    card = found.card
    tags = "".join(f'<span class="status">{html.escape(str(tag))}</span>' for tag in card.tags)
    notes = f'<p class="notes">{html.escape(card.notes)}</p>' if card.notes else ""
    status = f'<span class="status {found.status}">{found.status}</span>'
    return f"<header><h1>{html.escape(found.name)}{status}{tags}</h1>{notes}</header>"


def tables(found: FoundRun, damage: Damage) -> str:
    """Return the tables as HTML; one without entries is left out."""
    card = found.card
    parts = {
        "run": _identity(found),
        "config": _flat(hide(card.config)),
        "summary": _flat(card.summary),
        "artifacts": dict(_artifact(artifact) for artifact in card.artifacts),
        "not as it should be": _troubles(found, damage),
    }
    cards = "".join(_card(title, rows) for title, rows in parts.items() if rows)
    return f'<section class="tables">{cards}</section>'


def _card(title: str, rows: Mapping[str, Any]) -> str:
    bad = ' class="bad"' if title == "not as it should be" else ""
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td{bad}>{html.escape(written(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f'<div class="card"><h2>{title}</h2><div class="scroll"><table>{cells}</table></div></div>'


def _flat(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {name: lookup(mapping, name) for name in keys(mapping)}


def _identity(found: FoundRun) -> dict[str, Any]:
    card = found.card
    end = card.end or (card.beat if found.status == "crashed" else 0)
    git = card.git or {}
    changed = " with changes that were not committed" if git.get("dirty") else ""
    rows = {
        "run": found.label,
        "started": _when(card.start),
        "ended" if card.end else "last seen": _when(end),
        "lasted": span(end - card.start) if end else "",
        "last step": card.last_step,
        "resumed": f"{card.resumed} ×" if card.resumed else "",
        "git commit": f"{git.get('commit') or ''}{changed}" if git else "",
        "git branch": git.get("branch"),
        "command": shlex.join(card.command),
        "process": f"{card.pid} on {card.host}" if card.pid else card.host,
        "ranks": card.world if card.world > 1 else "",
        "python": " ".join(filter(None, [card.python, card.platform])),
        "libraries": ", ".join(f"{name} {version}" for name, version in card.libraries.items()),
    }
    return {name: value for name, value in rows.items() if value not in ("", None)}


def _artifact(artifact: Mapping[str, Any]) -> tuple[str, str]:
    verb = "used" if artifact.get("use") else "logged"
    aliases = ", ".join(map(str, artifact.get("aliases") or ()))
    return f"{artifact.get('name')}:{artifact.get('version')}", f"{verb}, {artifact.get('type')} {aliases}".strip()


def _troubles(found: FoundRun, damage: Damage) -> dict[str, str]:
    card = found.card
    rows = {name: f"{first.get('value')} first at step {first.get('step')}" for name, first in card.nonfinite.items()}
    rows |= {f"dropped ({reason})": f"{count:,} records" for reason, count in card.dropped.items()}
    return rows | ({"damaged lines of the log": str(damage)} if damage else {})


def written(value: Any) -> str:
    """Write a value for people: numbers short, text as it is, anything else as JSON.

    >>> [written(value) for value in (0.1234567, 3, "adam", None, True, [1, 2])]
    ['0.123457', '3', 'adam', 'null', 'true', '[1,2]']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return msgspec.json.encode(value).decode()


def span(seconds: float) -> str:
    """Write a length of time.

    >>> span(3.21), span(75), span(7_260)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {int(seconds % 60)} s"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds)) if seconds else ""
