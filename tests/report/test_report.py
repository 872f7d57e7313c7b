"""What `flexlogger report` writes says what the run's card says, whatever that is; what cannot be written is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.records import Record
from flexlogger.report import page, pictures
from tests.report.runs import run

LOSS = [Record(step, float(step), {"loss": 1 / (step + 1)}) for step in range(3)]


def test_the_page_says_what_the_run_was_and_came_to(tmp_path: Path) -> None:
    git = {"commit": "0123abc", "branch": "wide", "dirty": True}
    facts = {"name": "third try", "notes": "slower\nbut better", "tags": ["demo"], "git": git}
    config = {"lr": 0.001, "net": {"depth": 3}, "api_key": "planted"}
    troubles = {"nonfinite": {"loss": {"value": "NaN", "step": 7}}, "dropped": {"queue full": 12}}
    run(tmp_path, "a", LOSS, config=config, summary={"loss": 0.25}, command=["train.py", "--lr"], **facts, **troubles)
    out = tmp_path / "report.html"
    assert main(["report", "a", "--dir", str(tmp_path), "-o", str(out)]) == 0
    text = out.read_text("utf-8")
    for told in (
        *(
            "third try",
            "finished",
            "slower\nbut better",
            "demo",
            "0123abc with changes that were not committed",
            "wide",
        ),
        *("train.py --lr", "<th>lr</th><td>0.001</td>", "<th>net.depth</th><td>3</td>", "<th>loss</th><td>0.25</td>"),
        *("NaN first at step 7", "12 records", "1 h 0 min"),
    ):
        assert told in text
    assert "planted" not in text


def test_a_run_without_its_card_is_told_from_its_log(tmp_path: Path) -> None:
    run(tmp_path, "bare", LOSS, card=False)
    out = tmp_path / "report.html"
    assert main(["report", "bare", "--dir", str(tmp_path), "-o", str(out)]) == 0
    text = out.read_text("utf-8")
    assert "<th>loss</th><td>0.333333</td>" in text
    assert "<th>last step</th><td>2</td>" in text


def test_several_runs_are_a_report_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for id in ("a", "b"):
        run(tmp_path, id, LOSS)
    command = ["report", "a", "b", "--dir", str(tmp_path)]
    assert main([*command, "-o", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.html", "b.html"]
    assert capsys.readouterr().out.count("1 windows in") == 2
    assert main([*command, "-o", str(tmp_path / "one.html")]) == 1
    assert "expected a folder, since 2 runs are 2 reports" in capsys.readouterr().err


def test_without_a_name_it_is_called_like_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path, "a", LOSS)
    assert main(["report", "latest", "--dir", str(tmp_path)]) == 0
    assert (tmp_path / "a.html").stat().st_size > 3_000_000, "plotly is inside"


class TestErrors:
    def report(self, base: Path, *more: str) -> int:
        run(base, "digits", LOSS)
        return main(["report", "digits", "--dir", str(base), *more])

    def test_no_such_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(tmp_path, "digits", LOSS)
        assert main(["report", "digit", "--dir", str(tmp_path), "-o", str(tmp_path / "x.html")]) == 0
        assert main(["report", "letters", "--dir", str(tmp_path)]) == 1
        assert "no run 'letters'" in capsys.readouterr().err

    def test_nowhere_to_write(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.report(tmp_path, "-o", str(tmp_path / "no" / "report.html")) == 1
        assert "cannot write the report (No such file or directory)" in capsys.readouterr().err

    def test_no_plotly(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page, "ready", lambda: False)
        assert self.report(tmp_path, "-o", str(tmp_path / "report.html")) == 1
        assert "run: flexlogger assets" in capsys.readouterr().err
        assert not (tmp_path / "report.html").exists()

    def test_no_playwright(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
        out = tmp_path / "report.html"
        assert self.report(tmp_path, "-o", str(out), "--png", str(tmp_path / "png")) == 1
        assert "--png needs playwright" in (told := capsys.readouterr().err)
        assert "pip install 'flexlogger[report]'" in told
        assert out.exists(), "the report itself needs none"

    def test_no_chromium(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "_browser", lambda: str(tmp_path / "nowhere"))
        assert self.report(tmp_path, "-o", str(tmp_path / "report.html"), "--png", str(tmp_path / "png")) == 1
        assert "playwright install chromium" in capsys.readouterr().err
