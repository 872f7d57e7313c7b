"""Every example runs as a user runs it, and leaves what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flexlogger.server.process import ServerProcess

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
SAYS = {
    "hydra_digits.py": "with lr 0.01",
    "ignite_digits.py": "validation accuracy",
    "inspect_digits.py": "all frames drawn: True",
    "iris.py": "test accuracy",
    "lightning_digits.py": "type='model', 1 file, v0",
    "recorder.py": "the last valid_loss is",
    "server_that_comes_and_goes.py": "all 1000 steps",
    "six_sinks.py": "40 values of train_loss",
    "torchnet_meters.py": "ClassErrorMeter",
    "transformers_digits.py": "type='model'",
    "tutorial.py": "use_model returns equal weights",
    "watch_digits.py": "after 120 steps",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_runs(example: Path, server: ServerProcess, tmp_path: Path) -> None:
    environment = os.environ | {"FLEXLOGGER_PORT": str(server.port), "FLEXLOGGER_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", str(example)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert SAYS[example.name] in done.stdout
