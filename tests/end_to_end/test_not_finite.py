"""The first value that is not finite: in `status()` and on its curve, whoever logged it and whenever that was."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from flexlogger import FlexLogger
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.windows import window

SCRIPT = """
import os, sys
from flexlogger import FlexLogger
name, bad, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
meters = {name: {"type": "LastValueMeter", "target": "p"}}
stat = FlexLogger({"p": {}}, meters, run="r", env="bad", dir=FOLDER, port=port)
for n in range(20):
    stat.add({name: float("nan") if n >= bad else float(n)})
    stat.log(n)
assert stat.flush()
os._exit(0)  # killed: nobody closes it
"""


def log_in_another_process(folder: Path, server: ServerProcess, name: str, bad: int) -> None:
    process = start(SCRIPT, folder, name, bad, server.port)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def test_it_stands_in_status_and_on_the_curve(server: ServerProcess, page: Page, tmp_path: Path) -> None:
    log_in_another_process(tmp_path, server, "a", bad=7)
    meters = {name: {"type": "LastValueMeter", "target": "p"} for name in ("a", "b")}
    with FlexLogger({"p": {}}, meters, run="r", env="bad", dir=str(tmp_path), port=server.port) as stat:
        for n in range(20, 30):
            stat.add(a=float("nan"), b=float("inf") if n == 25 else float(n))
            stat.log(n)
        log_in_another_process(tmp_path, server, "c", bad=12)
        assert stat.flush()
        assert stat.status()["nonfinite"] == {
            "a": {"value": "nan", "step": 7},
            "b": {"value": "inf", "step": 25},
            "c": {"value": "nan", "step": 12},
        }
        assert all("nonfinite" not in view for view in stat.status()["views"].values())
        told = [note["text"] for note in window(stat, server.url, "p")["content"]["layout"]["annotations"]]
        assert told == ["NaN at step 7<br>a", "NaN at step 12<br>c", "+Inf at step 25<br>b"]
        page.goto(str(stat.url))
        page.locator(".annotation").nth(2).wait_for()
        assert page.locator(".annotation").all_text_contents() == [text.replace("<br>", "") for text in told]
