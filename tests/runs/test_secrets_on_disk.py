"""Secrets planted wherever a run can meet them; no file of the run holds one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flexlogger.runs.card import read_card
from flexlogger.runs.find import find_runs

SCRIPT = """
import os
import flexlogger.runs as wandb
from flexlogger import FlexLogger

config = {
    "lr": 0.1,
    "api_key": "PLANTED-in-config",
    "data": {"url": "s3://me:PLANTED-in-url@host/bucket", "auth": {"password": "PLANTED-deep-in-config"}},
    "note": "the server's token is " + os.environ["MY_SERVICE_TOKEN"],
}
run = wandb.init(project="p", name="n", notes="login with password=PLANTED-in-notes", config=config)
run.config.update({"wandb_api_key": "PLANTED-in-update", "epochs": 3})
run.config.secret = "PLANTED-in-attribute"
run.summary["token"] = "PLANTED-in-summary"
wandb.log({"loss": 0.5})
meters = {"acc": {"type": "LastValueMeter", "target": "acc"}}
with FlexLogger({"acc": {}}, meters, config={"hf_token": "PLANTED-in-logger"}) as stat:
    stat.add(acc=0.5)
    stat.log()
wandb.finish()
"""


def test_planted_secrets_reach_no_file_of_the_run(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    planted = [
        "--token",
        "PLANTED-as-option",
        "--db-password=PLANTED-after-equals",
        "model.api_key=PLANTED-as-override",
    ]
    planted += ["--url", "https://me:PLANTED-in-option@host/", "-H", "Authorization: Bearer PLANTED-as-bearer"]
    environment = {
        **os.environ,
        "FLEXLOGGER_DIR": str(tmp_path / "runs"),
        "FLEXLOGGER_TOKEN": "PLANTED-for-the-server",
        "FLEXLOGGER_PORT": "1",
        "MY_SERVICE_TOKEN": "PLANTED-in-environment",
    }
    ended = subprocess.run(
        [sys.executable, str(script), *planted], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    (run,) = find_runs(tmp_path / "runs")
    card = read_card(run.folder)
    assert card is not None
    assert (card.config["lr"], card.config["epochs"], card.summary["loss"]) == (0.1, 3, 0.5)
    assert card.command[-3:] == ["https://me:***@host/", "-H", "Authorization: *** ***"]
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert {path.name: b"PLANTED" in path.read_bytes() for path in files} == dict.fromkeys(
        (f.name for f in files), False
    )
