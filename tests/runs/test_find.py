"""Runs are found by what people call them, from their cards or, without, from their logs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flexlogger.errors import RunLogError
from flexlogger.records import End
from flexlogger.runs.card import FILE, read_card, write_card
from flexlogger.runs.find import base_dir, find_run, find_runs
from flexlogger.runs.processes import this_process
from tests.runs.on_disk import START, make_run, records, write_segment


def labels(base: Path, project: str | None = None) -> list[str]:
    return [run.label for run in find_runs(base, project)]


def test_the_folder_is_the_one_given_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXLOGGER_DIR", "elsewhere")
    assert (base_dir("here"), base_dir()) == (Path("here"), Path("elsewhere"))
    monkeypatch.delenv("FLEXLOGGER_DIR")
    assert base_dir() == Path("flexlogger_runs")


def test_runs_come_newest_first_and_what_is_no_run_does_not(tmp_path: Path) -> None:
    make_run(tmp_path, "old", start=START)
    make_run(tmp_path, "new", "other", start=START + 5)
    make_run(tmp_path, ".deleted-x-1234")
    make_run(tmp_path, "vision", "artifacts")
    for name in ("default/artifacts/model", "default/empty", ".windows"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "default" / "note.txt").write_text("no run")
    assert labels(tmp_path) == ["other/new", "default/old"]
    assert labels(tmp_path, "default") == ["default/old"]
    assert labels(tmp_path / "nowhere") == []


def test_an_unknown_project_is_answered_with_the_nearest(tmp_path: Path) -> None:
    make_run(tmp_path, "r", "mnist")
    with pytest.raises(RunLogError, match="unknown project 'mnits'; did you mean 'mnist'"):
        find_runs(tmp_path, "mnits")


def test_a_copied_run_is_what_its_folder_says(tmp_path: Path) -> None:
    shutil.copytree(make_run(tmp_path, "a", name="first"), tmp_path / "default" / "b")
    assert sorted((run.id, run.name, run.facts()["id"]) for run in find_runs(tmp_path)) == [
        ("a", "first", "a"),
        ("b", "first", "b"),
    ]


def test_how_a_run_is_doing(tmp_path: Path) -> None:
    me = this_process()
    here = {"host": me.host, "boot": me.boot, "pid": me.pid, "pid_start": me.pid_start}
    make_run(tmp_path, "lives", ended=None, beat=START, **here)
    make_run(tmp_path, "gone", ended=None, beat=START, **{**here, "pid_start": "1"})
    make_run(tmp_path, "silent", ended=None, beat=START - 11, **here)
    make_run(tmp_path, "done")
    assert {run.id: run.status for run in find_runs(tmp_path, now=START)} == {
        "lives": "running",
        "gone": "crashed",
        "silent": "crashed",
        "done": "finished",
    }


class TestWithoutACard:
    @pytest.mark.parametrize("content", [None, b"", b'{"id": "r", "tags', b"\xff\xfe", b"[]"])
    def test_a_run_is_listed_from_its_log(self, tmp_path: Path, content: bytes | None) -> None:
        items = records({"loss": [3, 2, 1]})
        folder = make_run(tmp_path, "r", "p", items, name="mine", tags=["t"], notes="n", config={"lr": 0.1})
        (folder / FILE).unlink()
        if content is not None:
            (folder / FILE).write_bytes(content)
        (run,) = find_runs(tmp_path)
        card = run.card
        assert (run.rebuilt, run.label, run.name, run.status) == (True, "p/r", "mine", "finished")
        assert (card.tags, card.notes, card.config) == (["t"], "n", {"lr": 0.1})
        assert (card.summary, card.last_step) == ({"loss": 1.0}, 2)

    def test_on_the_machine_of_another_rank_it_is_what_that_one_logged(self, tmp_path: Path) -> None:
        write_segment(tmp_path / "p" / "r", [*records({"loss": [3, 2]}), End(START + 9, "finished")], rank=2)
        write_segment(tmp_path / "p" / "r", records({"loss": [7, 8, 9]}), rank=3)
        (run,) = find_runs(tmp_path)
        assert (run.status, run.card.summary, run.card.last_step) == ("finished", {"loss": 2.0}, 1)

    def test_a_log_that_still_grows_is_a_running_run_until_it_is_silent(self, tmp_path: Path) -> None:
        path = write_segment(tmp_path / "p" / "r", records({"loss": [1]}))
        os.utime(path, (START, START))
        assert [run.status for run in find_runs(tmp_path, now=START + 5)] == ["running"]
        assert [run.status for run in find_runs(tmp_path, now=START + 15)] == ["crashed"]

    def test_a_long_log_is_read_at_its_ends_only(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path, "r", "p", records({"loss": [*range(20_000)]}), config={"lr": 0.1})
        (folder / FILE).unlink()
        (segment,) = folder.glob("*.jsonl")
        lines = segment.read_bytes().splitlines(keepends=True)
        lines[10_000] = b"\n" * len(lines[10_000])
        segment.write_bytes(b"".join(lines))
        (run,) = find_runs(tmp_path)
        assert (run.card.config, run.card.summary, run.card.last_step) == ({"lr": 0.1}, {"loss": 19_999.0}, 19_999)

    def test_damage_and_foreign_files_do_not_hide_it(self, tmp_path: Path) -> None:
        folder = make_run(tmp_path, "r", "p", records({"loss": [3, 2, 1]}), ended="finished")
        (folder / FILE).unlink()
        (folder / "a-1-2-b.jsonl").write_bytes(os.urandom(300))
        (folder / "a-1-3-b.jsonl").write_bytes(b"")
        (folder / "a-1-4-b.jsonl").mkdir()
        assert [run.card.summary for run in find_runs(tmp_path)] == [{"loss": 1.0}]

    def test_forked_workers_and_other_ranks_do_not_say_how_it_ended(self, tmp_path: Path) -> None:
        folder = tmp_path / "p" / "r"
        path = write_segment(folder, [*records({"loss": [1]}), End(START + 2)])
        write_segment(folder, [*records({"loss": [2]}), End(START + 1, "forked")])
        write_segment(folder, records({"loss": [9, 9]}), rank=1)
        for each in folder.glob("*"):
            os.utime(each, (START, START))
        (run,) = find_runs(tmp_path, now=START + 100)
        assert path.exists()
        assert (run.status, run.card.last_step, run.card.resumed) == ("finished", 0, 0)


class TestNaming:
    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        make_run(tmp_path, "20260101-abcd", "mnist", name="baseline", start=START)
        make_run(tmp_path, "20260102-cdef", "mnist", name="wide", start=START + 1)
        make_run(tmp_path, "20260102-cdef", "cifar", name="wide", start=START + 2)
        return tmp_path

    @pytest.mark.parametrize(
        ("spec", "label"),
        [
            ("20260101-abcd", "mnist/20260101-abcd"),
            ("mnist/20260102-cdef", "mnist/20260102-cdef"),
            ("20260101", "mnist/20260101-abcd"),
            ("cifar/2026", "cifar/20260102-cdef"),
            ("baseline", "mnist/20260101-abcd"),
            ("latest", "cifar/20260102-cdef"),
        ],
    )
    def test_what_people_call_a_run(self, base: Path, spec: str, label: str) -> None:
        assert find_run(spec, base).label == label

    def test_a_folder_is_a_run_wherever_it_lies(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert find_run(base / "mnist" / "20260101-abcd", Path("nowhere")).name == "baseline"
        monkeypatch.chdir(base / "mnist" / "20260101-abcd")
        assert find_run(".", Path("nowhere")).label == "mnist/20260101-abcd"

    @pytest.mark.parametrize("spec", ["20260102-cdef", "wide", "2026"])
    def test_one_that_may_be_several_lists_them(self, base: Path, spec: str) -> None:
        with pytest.raises(RunLogError, match="cifar/20260102-cdef, mnist/20260102-cdef") as refused:
            find_run(spec, base)
        assert len(str(refused.value).splitlines()) == 1

    def test_many_candidates_are_cut_short(self, tmp_path: Path) -> None:
        for n in range(20):
            make_run(tmp_path, f"r-{n:02}")
        with pytest.raises(RunLogError, match="and 12 more"):
            find_run("r-", tmp_path)

    @pytest.mark.parametrize(
        ("spec", "near"), [("basline", "mnist/20260101-abcd"), ("20260101-abce", "mnist/20260101-abcd")]
    )
    def test_a_miss_is_answered_with_the_nearest(self, base: Path, spec: str, near: str) -> None:
        with pytest.raises(RunLogError, match=f"did you mean '{near}'"):
            find_run(spec, base)

    def test_a_miss_like_nothing_lists_what_there_is(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(RunLogError, match="there are cifar/20260102-cdef, mnist/"):
            find_run("zzz", base)
        with pytest.raises(RunLogError, match="there are no runs in"):
            find_run("zzz", tmp_path / "empty")


def test_a_card_is_believed_over_the_log(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "r", items=records({"loss": [1, 2]}))
    card = read_card(folder)
    assert card is not None
    card.summary = {"loss": {"min": 1.0}}
    write_card(folder, card)
    assert find_run("r", tmp_path).card.summary == {"loss": {"min": 1.0}}


def test_a_project_that_cannot_be_read_is_told_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_run(tmp_path, "r", "open")
    make_run(tmp_path, "r", "closed")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    assert labels(tmp_path) == ["open/r"]
    assert "closed cannot be read (Permission denied)" in caplog.text
