"""Odd input and bad luck in what a run is made of: each ends in a clear line, never in a run that cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import flexlogger.runs as wandb
from flexlogger import FlexLogger, ValueRefusedError
from flexlogger.errors import ArtifactError
from flexlogger.records import Record
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import post


def run_script(text: str, folder: Path, *arguments: str | bytes) -> str:
    """Run a script that may use `wandb`, with its runs in `folder`; what it printed on standard error."""
    script = "import flexlogger.runs as wandb\n" + textwrap.dedent(text)
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, "FLEXLOGGER_DIR": str(folder)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


# ---- text that is no unicode: names of files in another encoding


def test_a_command_line_in_another_encoding_keeps_its_card_and_its_config(tmp_path: Path) -> None:
    script = """
        import sys
        with wandb.init(id="r", mode="offline", config={"data": sys.argv[1], sys.argv[1]: 1}) as run:
            run.log({"loss": 0.5})
            run.summary["best"] = sys.argv[1]
        """
    assert run_script(script, tmp_path, b"caf\xe9.csv") == ""
    run = RunReader(tmp_path / "default" / "r")
    assert run.config == {"data": "caf?.csv", "caf?.csv": 1}
    assert run.summary == {"loss": 0.5, "best": "caf?.csv"}
    assert run.card.command[-1] == "caf?.csv"
    assert run.ended == "finished"


def test_text_that_is_no_unicode_is_shown_as_far_as_it_goes(server: ServerProcess) -> None:
    with wandb.init(id="odd-text", port=server.port) as run:
        run.log({"note": "bad \udc80 end"})
        assert run.flush()
    windows: dict[str, Any] = json.loads(post(server.url, "/win_data", {"eid": "odd-text", "win": None}))
    assert any("bad ? end" in str(window["content"]) for window in windows.values())


def test_a_name_that_is_no_unicode_is_refused_before_anything_is_recorded() -> None:
    with wandb.init(id="r", mode="offline") as run:
        with pytest.raises(ValueRefusedError, match=r"names of whole characters, but got '\\udc80'"):
            run.log({"loss": 1.0, "\udc80": 2.0})
        run.log({"loss": 3.0})
    assert RunReader(run.dir).series("loss").values.tolist() == [3.0]


# ---- tensors that hold nothing that can be read at once


@pytest.mark.parametrize(
    "value",
    [
        torch.empty(3, device="meta"),
        torch.empty((), device="meta"),
    ],
)
def test_a_tensor_that_cannot_be_read_is_refused_and_the_rest_goes_on(value: torch.Tensor) -> None:
    with wandb.init(id="r", mode="offline") as run:
        with pytest.raises(ValueRefusedError, match="log: 'odd'"):
            run.log({"loss": 1.0, "odd": value})
        run.log({"loss": 2.0})
    assert RunReader(run.dir).series("loss").values.tolist() == [2.0]


def test_a_sparse_matrix_is_a_matrix() -> None:
    with wandb.init(id="r", mode="offline") as run:
        run.log({"weights": torch.eye(3).to_sparse()})
    (datum,) = (datum for item in RunReader(run.dir).items() if isinstance(item, Record) for datum in item.data)
    assert (datum.kind, datum.value.tolist()) == ("matrix", np.eye(3).tolist())


# ---- steps


def test_a_step_of_numpys_integers_is_a_step_of_both_apis() -> None:
    with FlexLogger({"loss": {}}, sinks=[]) as stat:
        stat.add(loss=1.0)
        stat.log(np.int64(7))
    assert RunReader(stat.folder).series("loss").steps.tolist() == [7.0]


# ---- several threads


def test_threads_that_log_at_the_same_steps_lose_nothing() -> None:
    def log(name: str) -> None:
        for step in range(500):
            run.log({name: float(step)}, step=step)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with wandb.init(id="r", mode="offline") as run:
            threads = [threading.Thread(target=log, args=(f"m{number}",)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    curves = RunReader(run.dir).curves()
    assert {name: curve.steps.tolist() for name, curve in curves.items()} == {f"m{n}": [*range(500)] for n in range(4)}
    assert all((curve.steps == curve.values).all() for curve in curves.values())


# ---- a run that is shared


def test_who_leaves_a_shared_run_and_takes_it_up_again_goes_on_at_the_next_step() -> None:
    run = wandb.init(id="r", mode="offline")
    stat = FlexLogger({"loss": {}})
    for step in range(3):
        run.log({"x": float(step)})
    run.finish()
    with wandb.init(id="r", mode="offline") as again:
        again.log({"x": 3.0})
    stat.close()
    assert RunReader(run.dir).series("x").steps.tolist() == [0, 1, 2, 3]


# ---- artifacts


def test_an_artifact_without_files_is_a_folder_that_is_there(tmp_path: Path) -> None:
    with wandb.init(mode="offline") as run:
        run.log_artifact(wandb.Artifact("empty", type="dataset"))
        assert list(Path(run.use_artifact("empty").download(tmp_path / "copy")).iterdir()) == []
        (tmp_path / "taken").touch()
        with pytest.raises(ArtifactError, match=r"artifact empty:v0 cannot be copied to .*taken"):
            run.use_artifact("empty").download(tmp_path / "taken")
