"""`flexlogger runs show|export|delete`: what is in a run's folder, for people and programs, and its end."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.records import Event
from flexlogger.runs.card import FILE
from flexlogger.runs.processes import this_process
from tests.runs.on_disk import START, make_run, records, write_segment


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    monkeypatch.setenv("FLEXLOGGER_DIR", str(folder))
    return folder


class TestShow:
    def test_everything_is_told(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = make_run(
            base,
            "r",
            "p",
            records({"loss": [3, 2]}),
            name="baseline",
            tags=["demo"],
            notes="a note",
            config={"net": {"depth": 3}},
            summary={"loss": {"min": 2.0}},
            last_step=1,
            git={"commit": "abc123", "branch": "main", "dirty": True},
            command=["train.py", "--name", "two words"],
            nonfinite={"gn": {"value": "NaN", "step": 7}},
            dropped={"full": 3},
            artifacts=[{"name": "model", "type": "model", "version": "v3", "use": False, "aliases": ["latest"]}],
        )
        with next(folder.glob("*.jsonl")).open("ab") as file:
            file.write(b'{"q":9,"t":1,"torn')
        assert main(["runs", "show", "baseline"]) == 0
        told = capsys.readouterr().out
        for part in (
            "p/r",
            "a note",
            "net.depth 3",
            "loss.min 2",
            "abc123 main with changes",
            "train.py --name 'two words'",
            "logged model:v3 (latest), model",
            "not finite: gn was NaN first at step 7",
            "dropped: 3 records, full",
            "4 items",
            "damaged: 1 torn",
            "draw it again: flexlogger replay p/r",
        ):
            assert part in told

    def test_json_for_programs(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = make_run(base, "r", "p", records({"loss": [3, 2]}))
        write_segment(folder, records({"loss": [9]}), rank=1, clock=lambda: 4e9)
        assert main(["runs", "show", "r", "--json"]) == 0
        run = json.loads(capsys.readouterr().out)
        assert (run["id"], run["replay"], run["rebuilt"]) == ("r", "flexlogger replay p/r", False)
        assert [(s["rank"], s["items"], s["ended"]) for s in run["segments"]] == [(0, 4, "finished"), (1, 1, None)]
        assert run["bytes"]["log"] == sum(path.stat().st_size for path in folder.glob("*.jsonl"))
        assert run["damage"] == {"torn": 0, "damaged": 0, "missing": 0, "blobs": 0}

    def test_without_a_card_the_whole_log_is_asked(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rule = Event(START, "metric", {"name": "loss", "summary": ["min"]})
        folder = make_run(base, "r", "p", [rule, *records({"loss": [3, 1, *[2] * 10_000]})])
        (folder / FILE).unlink()
        assert main(["runs", "show", "r", "--json"]) == 0
        run = json.loads(capsys.readouterr().out)
        assert (run["rebuilt"], run["summary"], run["last_step"]) == (True, {"loss": {"min": 1.0}}, 10_001)

    def test_a_miss_is_one_line(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make_run(base, "resnet")
        for command in (["show", "resnt"], ["export", "resnt"], ["delete", "resnt", "--yes"]):
            assert main(["runs", *command]) == 1
            assert capsys.readouterr().err.endswith("did you mean 'default/resnet'?\n")


class TestExport:
    def test_wide_csv_is_what_it_prints(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make_run(base, "a", items=records({"loss": [3, 2], "acc": [0.5]}))
        make_run(base, "b", items=records({"loss": [1]}))
        assert main(["runs", "export", "a", "b"]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["run"] for row in rows] == ["default/a", "default/a", "default/b"]
        assert [row["loss"] for row in rows] == ["3.0", "2.0", "1.0"]

    @pytest.mark.parametrize("name", ["out.csv", "out.json"])
    def test_a_file_is_of_the_kind_that_its_name_says(
        self, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        make_run(base, "a", items=records({"loss": [3, 2], "acc": [0.5]}))
        path = tmp_path / name
        assert main(["runs", "export", "a", "--long", "--names", "l*", "-o", str(path)]) == 0
        assert f"wrote {path}" in capsys.readouterr().out
        text = path.read_text()
        rows = json.loads(text) if name.endswith("json") else list(csv.DictReader(io.StringIO(text)))
        assert [(row["name"], float(row["value"])) for row in rows] == [("loss", 3.0), ("loss", 2.0)]

    def test_what_cannot_be_written_is_one_line(
        self, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_run(base, "a", items=records({"loss": [3]}))
        assert main(["runs", "export", "a", "-o", str(tmp_path / "no" / "where.csv")]) == 1
        assert "cannot write it (No such file or directory)" in capsys.readouterr().err


class TestDelete:
    def test_after_yes_nothing_is_left_but_artifacts(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        artifact = {"name": "model", "type": "model", "version": "v0", "use": False}
        folder = make_run(base, "r", "p", records({"loss": [3]}), artifacts=[artifact])
        (folder / "blobs" / "ab").mkdir(parents=True)
        (folder / "blobs" / "ab" / "abcd").write_bytes(b"x")
        kept = base / "p" / "artifacts" / "model"
        kept.mkdir(parents=True)
        other = make_run(base, "other", "p")
        assert main(["runs", "delete", "p/r", "r", "--yes"]) == 0
        told = capsys.readouterr().out
        assert "artifacts that p/r logged stay in the project: model:v0" in told
        assert "deleted 1 run" in told
        assert sorted(path.name for path in (base / "p").iterdir()) == ["artifacts", "other"]
        assert other.exists()
        assert kept.exists()

    def test_where_nobody_can_be_asked_it_says_what_to_type(
        self, base: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = make_run(base, "r", "p")
        assert main(["runs", "delete", "r", "--dir", str(base)]) == 1
        assert capsys.readouterr().err.endswith(f"flexlogger runs delete p/r --yes --dir {base}\n")
        assert folder.exists()

    @pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
    def test_on_a_terminal_it_asks(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, status: int
    ) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        folder = make_run(base, "r", "p")
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert main(["runs", "delete", "r"]) == status
        assert folder.exists() == bool(status)
        assert "delete it for good?" in capsys.readouterr().out

    def test_a_run_that_lives_is_kept_unless_forced(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        me = this_process()
        here = {"host": me.host, "boot": me.boot, "pid": me.pid, "pid_start": me.pid_start}
        monkeypatch.setattr("time.time", lambda: START)
        live = make_run(base, "live", ended=None, **here)
        done = make_run(base, "done")
        assert main(["runs", "delete", "live", "done", "--yes"]) == 1
        assert "default/live: still running, so nothing was deleted" in capsys.readouterr().err
        assert live.exists()
        assert done.exists()
        assert main(["runs", "delete", "live", "--yes", "--force"]) == 0
        assert not live.exists()

    def test_one_that_is_half_deleted_is_gone_for_everybody(
        self, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def refuse(path: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("shutil.rmtree", refuse)
        make_run(base, "r", "p")
        assert main(["runs", "delete", "r", "--yes"]) == 1
        (left,) = (base / "p").iterdir()
        assert f"remove {left} by hand" in capsys.readouterr().err
        assert main(["runs", "list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []
