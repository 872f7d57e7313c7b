"""A tutorial written for wandb runs with its import line changed: no account, no network, and the numbers arrive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.where import window_id
from tests.end_to_end.windows import points, post
from tests.servers import RunFlexlogger

TUTORIAL = Path(__file__).parents[2] / "examples" / "tutorial.py"
NO_NETWORK = """
import socket
connect = socket.socket.connect
def to_loopback(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
        raise OSError(f"there is no network: {address}")
    return connect(self, address)
socket.socket.connect = to_loopback
"""


@pytest.fixture
def folder(tmp_path: Path, server: ServerProcess) -> Path:
    """The project folder that the tutorial leaves."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(NO_NETWORK)
    environment = os.environ | {"FLEXLOGGER_PORT": str(server.port), "PYTHONPATH": str(tmp_path / "guard")}
    command = [sys.executable, str(TUTORIAL)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "use_model returns equal weights" in done.stdout
    assert "Table(150 rows" in done.stdout
    return tmp_path / "runs"


def test_the_tutorial(folder: Path, server: ServerProcess, run_flexlogger: RunFlexlogger) -> None:
    listed = run_flexlogger("runs", "list", "--json", "--project", "demo")
    assert listed.returncode == 0, listed.stderr
    runs: list[dict[str, Any]] = json.loads(listed.stdout)
    (trained,) = [run for run in runs if run["name"] == "mnist-demo"]
    reader = RunReader(folder / "demo" / trained["id"])
    steps, losses = reader.series("loss")

    assert (trained["status"], trained["tags"]) == ("finished", ["demo"])
    assert trained["config"] == {"lr": 3e-3, "epoch": 5, "batch_size": 64, "weight_decay": 1e-5}
    assert trained["summary"]["loss"] == {"min": losses.min()}
    assert 0.3 < trained["summary"]["acc"] <= 1.0
    assert [made["name"] for made in trained["artifacts"]] == [f"model_{ep}" for ep in range(5)]

    env = trained["id"]
    assert len(losses) == 5 * 24
    assert points(server.url, env, "loss") == {"loss": list(zip(steps.tolist(), losses.tolist(), strict=True))}
    assert points(server.url, env, "iter")["iter"][-1] == (119, 23.0)

    def content(plot: str) -> Any:
        return json.loads(post(server.url, "/win_data", {"eid": env, "win": window_id(env, env, plot)}))["content"]

    assert content("custom_plot_id")["data"][0]["y"] == [n**2 for n in range(10)]
    assert content("custom_plot_id")["layout"]["title"]["text"] == "Custom Y vs X Line Plot"
    assert content("custom_table_id").count("<tr") == 11
    assert content("digits").count("data:image/png;base64,") == 8
