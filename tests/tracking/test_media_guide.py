"""The guide to media runs as it is written, and everything it logs is a window."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flexlogger.server.process import ServerProcess
from flexlogger.session import current
from tests.end_to_end.windows import post

GUIDE = Path(__file__).parents[2] / "docs" / "media.md"


def test_what_the_guide_shows_runs(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXLOGGER_PORT", str(server.port))
    code = "".join(re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M))
    namespace: dict[str, object] = {}
    exec(code.replace("wandb.finish()", "assert run.status()['dropped'] == {}"), namespace)
    run = current()
    assert run is not None
    try:
        assert run.flush(30)
        windows = post(server.url, "/win_data", {"eid": run.env, "win": None})
    finally:
        run.close()
    names = re.findall(r'^ +"(\w+)": wandb|log\(\{"(\w+)"', code, re.M)
    assert len(names) == 13
    for name in ("".join(pair) for pair in names):
        assert f'"title": "{name}"' in windows, name
    assert '"title": "batch"' in windows
