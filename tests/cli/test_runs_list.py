"""`flexlogger runs list`: which runs, in which order, how shown."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from flexlogger.cli import main
from tests.runs.on_disk import START, make_run


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path / "runs"
    monkeypatch.setenv("FLEXLOGGER_DIR", str(base))
    make_run(
        base,
        "a",
        "mnist",
        name="baseline",
        tags=["demo"],
        config={"lr": 1e-2, "opt": "sgd"},
        start=START,
        summary={"acc": {"max": 0.9}},
    )
    make_run(
        base,
        "b",
        "mnist",
        tags=["demo", "wide"],
        config={"lr": 1e-4, "opt": "adam"},
        start=START + 1,
        summary={"acc": {"max": 0.7}},
        ended="crashed",
    )
    make_run(base, "c", "cifar", config={"lr": 1e-3}, start=START + 2, summary={"acc": {"max": 0.8}, "bad": "NaN"})
    return base


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["runs", "list", "--json", *arguments]) == 0
    return [f"{run['project']}/{run['id']}" for run in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["cifar/c", "mnist/b", "mnist/a"]),
        (["--project", "mnist"], ["mnist/b", "mnist/a"]),
        (["--tag", "demo"], ["mnist/b", "mnist/a"]),
        (["--tag", "demo", "--tag", "wide"], ["mnist/b"]),
        (["--status", "crashed"], ["mnist/b"]),
        (["--where", "config.lr<=1e-3"], ["cifar/c", "mnist/b"]),
        (["--where", "config.lr<=1e-3", "--where", "summary.acc>0.75"], ["cifar/c"]),
        (["--where", "config.opt~a*"], ["mnist/b"]),
        (["--sort", "summary.acc.max"], ["mnist/b", "cifar/c", "mnist/a"]),
        (["--sort", "-summary.acc"], ["mnist/a", "cifar/c", "mnist/b"]),
        (["--sort", "config.opt"], ["mnist/b", "mnist/a", "cifar/c"]),
        (["--limit", "1"], ["cifar/c"]),
        (["--where", "name=nothing"], []),
    ],
)
def test_filters_order_and_limit(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]) -> None:
    assert listed(capsys, *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "config.lt<1"], "did you mean 'config.lr'?"),
        (["--where", "config.lr"], "expected KEY, one of"),
        (["--where", "config.lr<low"], "config.lr is a number"),
        (["--sort", "sumary.acc.max"], "did you mean 'summary.acc.max'?"),
        (["--status", "runing"], "did you mean 'running'?"),
        (["--project", "mnits"], "did you mean 'mnist'?"),
        (["--json", "--csv"], "got both"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["runs", "list", *arguments]) == 1
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert message in told.err


def test_json_holds_the_whole_card(capsys: pytest.CaptureFixture[str], runs: Path) -> None:
    assert main(["runs", "list", "--json", "--where", "name=baseline"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    expected: dict[str, Any] = {"id": "a", "name": "baseline", "tags": ["demo"], "summary": {"acc": {"max": 0.9}}}
    assert {key: run[key] for key in expected} == expected
    assert run["folder"] == str(runs / "mnist" / "a")


def test_csv_has_a_column_for_all_that_was_configured_and_came_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--csv"]) == 0
    first, second, _ = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (first["id"], first["config.lr"], first["config.opt"], first["summary.bad"]) == ("c", "0.001", "", "NaN")
    assert (second["tags"], second["start"], second["summary.acc.max"]) == (
        "demo wide",
        "2025-11-20T17:31:13+00:00",
        "0.7",
    )


def test_in_a_pipe_columns_stay_and_end_with_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--where", "config.lr<1"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [[line[0], line[1], line[2], *line[4:]] for line in lines] == [
        ["cifar/c", "", "finished", "", "", "0.001"],
        ["mnist/b", "", "crashed", "", "demo wide", "0.0001"],
        ["mnist/a", "baseline", "finished", "", "demo", "0.01"],
    ]


@pytest.mark.parametrize(("width", "last"), [("200", "bad"), ("60", "tags")])
def test_on_a_terminal_it_fits_and_shows_what_tells_runs_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str, last: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["runs", "list"]) == 0
    head, *lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert head.split()[-1] == last
    assert len(lines) == 3
    assert max(map(len, lines)) <= int(width)


def test_a_setting_and_a_result_of_one_name_have_heads_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, runs: Path
) -> None:
    make_run(runs, "d", config={"lr": 1.0}, summary={"lr": 0.5})
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    assert main(["runs", "list", "--sort", "summary.lr", "--where", "config.lr<2"]) == 0
    head = capsys.readouterr().out.splitlines()[0]
    assert "config.lr" in head
    assert "summary.lr" in head
    assert "acc.max" in head
    assert "summary.acc.max" not in head


def test_no_runs_at_all_is_no_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["runs", "list", "--dir", str(tmp_path / "none")]) == 0
    assert "no runs in" in capsys.readouterr().err
    assert main(["runs", "list", "--dir", str(tmp_path / "none"), "--json", "--where", "config.x=1"]) == 0
    assert json.loads(capsys.readouterr().out) == []
