"""The commands and the code that the guide shows do what it says."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.server.process import ServerProcess
from tests.replay.windows import windows
from tests.runs.on_disk import START, make_run, records
from tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "replay.md"


@pytest.fixture
def port(tmp_path: Path, fresh_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> int:
    base = tmp_path / "runs"
    for number, name in enumerate(("baseline", "wide")):
        config, summary = {"lr": 1e-4 * (number + 1)}, {"val_loss": number}
        make_run(
            base, f"r{number}", "p", records({"loss": [1, 2]}), name=name, config=config, summary=summary, start=START
        )
    monkeypatch.setenv("FLEXLOGGER_DIR", str(base))
    monkeypatch.setenv("FLEXLOGGER_PORT", str(fresh_server.port))
    return fresh_server.port


def test_every_command_that_is_shown_runs(
    port: int, fresh_server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = blocks(GUIDE, "sh")
    for line in shown.splitlines():
        program, *arguments = shlex.split(line)
        assert (program, main(arguments)) == ("flexlogger", 0), capsys.readouterr().err
    assert len(windows(fresh_server, "compare-r0-r1")) == 2
    assert len(windows(fresh_server, "r0")) == 1


def test_the_python_that_is_shown_runs(
    port: int, fresh_server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = blocks(GUIDE, "python")
    exec(code, {"PORT": port})
    assert capsys.readouterr().out == f"http://localhost:{port}/env/r0 2 none\n"
    assert len(windows(fresh_server, "r0")) == 1
