"""Reads back everything that a server holds of an environment."""

from __future__ import annotations

import json
from typing import Any

from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import post


def windows(server: ServerProcess, env: str) -> dict[str, Any]:
    """The windows by id, without what a server numbers by itself."""
    found = json.loads(post(server.url, "/win_data", {"eid": env, "win": None}))
    own = ("contentID", "version", "i")
    return {win: {key: value for key, value in window.items() if key not in own} for win, window in found.items()}
