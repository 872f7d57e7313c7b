"""The commands and the code that the guide to reports shows do what it says."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.records import Record
from tests.report.runs import run
from tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "report.md"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with two runs."""
    monkeypatch.setenv("FLEXLOGGER_DIR", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    for id in ("baseline", "wide"):
        run(tmp_path / "runs", id, [Record(0, 0.0, {"loss": 1.0, "accuracy": 0.5})])
    return tmp_path


def test_every_command_that_is_shown_runs(runs: Path) -> None:
    (shown,) = blocks(GUIDE, "sh")
    lines = [shlex.split(line, comments=True) for line in shown.splitlines()]
    for program, *arguments in lines:
        if "--png" not in arguments:  # needs a browser; see test_pictures.py
            assert (program, main(arguments)) == ("flexlogger", 0)
    written = sorted(str(path.relative_to(runs)) for path in runs.rglob("*.html"))
    assert written == ["baseline.html", "reports/baseline.html", "reports/wide.html", "third-try.html"]


def test_the_python_that_is_shown_runs(runs: Path) -> None:
    (code,) = blocks(GUIDE, "python")
    exec(code)
    assert (runs / "report.html").exists()
