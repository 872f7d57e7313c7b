"""`flexlogger runs push`: what a trainer that was killed left is sent, once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.mirror import push
from flexlogger.net.keys import make_keys
from flexlogger.runs.card import FILE
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.test_owners import eventually, series
from tests.net.road import Road
from tests.pipe.places import Monitor, Place
from tests.ports import free_port
from tests.runs.on_disk import make_run, records
from tests.terminals import Terminal


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Monitor]:
    """A monitor that draws nothing."""
    with Monitor(tmp_path / "there", "--sinks", "none") as monitor:
        yield monitor


def nobody() -> str:
    """An address where nobody listens."""
    return f"tcp://127.0.0.1:{free_port()}"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix == ".jsonl" or path.name == FILE}


def test_what_a_killed_trainer_left_is_drawn_where_the_rest_is(
    server: ServerProcess, monitor: Monitor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its monitor was away when it died: what was acknowledged is not sent again, the rest once, in order."""
    place = Place("tcp", server, monitor)
    where = nobody()
    body = f"""
        import os, time
        from flexlogger import FlexLogger
        stat = FlexLogger({{"loss": {{}}}}, env="left", run="r", project="left", dir=FOLDER, pipe={where!r})
        for n in range(200):
            stat.add(loss=float(n)); stat.log(n)
        stat.flush(20, views=False)
        while not (stat.folder / "run.json").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    """
    _, errors = start(body, tmp_path / "here").communicate(timeout=120)
    assert errors == ""
    folder = tmp_path / "here" / "left" / "r"
    for sent in ("sent", "everything was there"):
        assert main(["runs", "push", str(folder), "--to", monitor.where]) == 0
        line = capsys.readouterr().out
        assert line.startswith("left/r (crashed): ")
        assert line.endswith(f"{sent}\n")
    there = monitor.base / "left" / "r"
    assert files(there) == files(folder)
    assert RunReader(there).series("loss").steps.tolist() == list(range(200))
    eventually(lambda: place.lines("left", "loss").get("loss"), series(0, 200))


def test_what_a_rank_on_another_machine_logged_is_shown_beside_rank_0s(
    server: ServerProcess, monitor: Monitor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two share no folder: rank 0's log is sent as it grows, the other's by hand."""
    body = f"""
        import os
        from flexlogger import FlexLogger
        rank = int(os.environ["RANK"])
        names = {{"env": "apart", "run": "apart", "dir": FOLDER, "pipe": {monitor.where!r}, "ranks": "all"}}
        with FlexLogger({{"loss": {{}}}}, **names) as stat:
            for n in range(20):
                stat.add(loss=100.0 * rank + n); stat.log(n)
            assert stat.flush(60)
    """
    for rank in "01":
        environment = {**os.environ, "RANK": rank, "WORLD_SIZE": "2"}
        ended = start(body, tmp_path / rank, env=environment)
        assert ended.communicate(timeout=120)[1] == ""
    here = tmp_path / "1" / "default" / "apart"
    there = monitor.base / "default" / "apart"
    assert set(files(there)) == set(files(tmp_path / "0" / "default" / "apart"))
    assert main(["runs", "push", str(here), "--to", monitor.where]) == 0
    assert capsys.readouterr().out.startswith("default/apart (finished): ")
    assert {name: files(there)[name] for name in files(here)} == files(here)
    place = Place("tcp", server, monitor)
    eventually(lambda: place.lines("apart", "loss").get("loss@rank1"), [(n, 100.0 + n) for n in range(20)])
    assert place.lines("apart", "loss")["loss@rank0"] == series(0, 20)


def test_all_runs_of_a_folder(tmp_path: Path, keeper: Monitor, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / "here"
    for name in ("a", "b"):
        make_run(base, name, "p", records({"loss": [3.0, 2.0]}))
    make_run(base, "c", "q", records({"loss": [1.0]}))
    assert main(["runs", "push", str(base), "--to", keeper.where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(each["run"] for each in told) == ["p/a", "p/b", "q/c"]
    assert all(each["sent"] > 0 and each["status"] in ("finished", "crashed") for each in told)
    assert main(["runs", "push", str(base / "p"), "--to", keeper.where, "--json"]) == 0
    assert [(each["run"], each["sent"]) for each in json.loads(capsys.readouterr().out)] == [("p/a", 0), ("p/b", 0)]
    assert main(["runs", "push", "c", "--dir", str(base), "--to", keeper.where]) == 0
    assert "q/c" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "there").glob("*/*")} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["r", "--to", "dash"], "--to: expected an address such as tcp://dash.example:5555, but got 'dash'"),
        (
            ["r", "--to", "tcp://dash.example:5555"],
            "--to: tcp://dash.example:5555 leaves this machine, which needs keys",
        ),
        (["r", "--to", "tcp://127.0.0.1:9", "--keys", "{base}/lab.host.key"], "is a host's key file"),
        (["rr", "--to", "tcp://127.0.0.1:9"], "no run 'rr' in"),
        (["{base}/empty", "--to", "tcp://127.0.0.1:9"], "there are no runs here"),
        (["r", "--to", "tcp://127.0.0.1:9"], "nobody takes run logs at tcp://127.0.0.1:9; start there: flexlogger"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(push, "CONNECT_S", 0.3)
    monkeypatch.setenv("FLEXLOGGER_DIR", str(tmp_path / "runs"))
    make_run(tmp_path / "runs", "r", "p", records({"loss": [1.0]}))
    make_keys(tmp_path / "lab")
    (tmp_path / "empty").mkdir()
    assert main(["runs", "push", *(word.format(base=tmp_path) for word in words)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flexlogger runs: ")
    assert why in line
    assert caplog.records == []


def test_a_monitor_that_does_not_know_the_key_is_told_from_one_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(push, "CONNECT_S", 1.0)
    folder = make_run(tmp_path / "runs", "r", "p", records({"loss": [1.0]}))
    mine, other = make_keys(tmp_path / "mine"), make_keys(tmp_path / "other")
    with Monitor(tmp_path / "there", "--sinks", "none", "--keys", mine[0]) as monitor:
        assert main(["runs", "push", str(folder), "--to", monitor.where, "--keys", str(mine[1])]) == 0
        capsys.readouterr()
        assert main(["runs", "push", str(folder), "--to", monitor.where, "--keys", str(other[1])]) == 1
        assert "keys" in capsys.readouterr().err


def test_a_bar_tells_how_far_it_is(tmp_path: Path, keeper: Monitor) -> None:
    folder = make_run(tmp_path / "here", "r", "p", records({"loss": [float(n) for n in range(20_000)]}))
    with Road(int(keeper.where.rpartition(":")[2]), bytes_a_second=1e6) as road:
        words = ["runs", "push", str(folder), "--to", f"tcp://127.0.0.1:{road.port}"]
        with Terminal(f"from flexlogger.cli import main; main({words!r}); pause()") as terminal:
            terminal.until(lambda lines: re.match(r"sending p/r .* [1-9]\d% ", lines[0]))
            terminal.until(lambda lines: lines[0].endswith(" MB sent"))


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "here", "r", "p", records({"loss": [1.0]}))
    command = [sys.executable, "-m", "flexlogger", "runs", "push", str(folder), "--to", nobody()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    eventually(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1, True)  # it is sending
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode in (1, 130)
    assert "Traceback" not in errors
