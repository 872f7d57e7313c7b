"""Reads back what a dashboard server holds."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

from flexlogger import FlexLogger
from flexlogger.sinks.where import window_id


def post(url: str, path: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(response.read().decode())


def window(stat: FlexLogger, url: str, plot: str, env: str | None = None) -> dict[str, Any]:
    """The window of a plot as the server has it: its `content` holds plotly's data and layout."""
    env = env or stat.env
    answer = post(url, "/win_data", {"eid": env, "win": window_id(stat.uid, env, plot)})
    found = json.loads(answer)
    assert isinstance(found, dict), f"no window for {plot!r} in {env!r}: {answer[:200]}"
    return found


def points(url: str, env: str, plot: str, uid: str = "") -> dict[str, list[tuple[float, float]]]:
    """The (x, y) points of every named line of a window that some process drew; none where there is no window."""
    try:
        found = json.loads(post(url, "/win_data", {"eid": env, "win": window_id(uid or env, env, plot)}))
    except HTTPError as error:
        if error.code != 404:
            raise
        return {}
    data = found["content"]["data"]
    return {t["name"]: list(zip(t["x"], t["y"], strict=True)) for t in data if "lines" in t.get("mode", "")}


def traces(stat: FlexLogger, url: str, plot: str) -> dict[str, list[tuple[float, float]]]:
    """The (x, y) points of every named line of a plot's window."""
    data = window(stat, url, plot)["content"]["data"]
    return {t["name"]: list(zip(t["x"], t["y"], strict=True)) for t in data if "lines" in t.get("mode", "")}
