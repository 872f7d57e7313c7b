"""Several loggers and one run, within a process: what they share, what belongs to one of them, who is the last."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flexlogger import ConfigError, FlexLogger, session
from flexlogger.config.load import load
from flexlogger.errors import RunLogError, ValueRefusedError
from flexlogger.records import Definition, End, Event, Item, MeterDef, PlotDef
from flexlogger.runs.card import read_card
from flexlogger.runs.segment import SegmentReader, read_header, segments
from flexlogger.session import Run, make_current, open_run
from flexlogger.sinks.memory import MemorySink


def on_disk(folder: Path) -> list[Item]:
    return [item for path in segments(folder) for item in SegmentReader(path).read()]


def infos(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [item.info for item in on_disk(folder) if isinstance(item, Event) and item.kind == kind]


@pytest.fixture
def run() -> Iterator[Run]:
    """A run that somebody opened for all loggers of this process."""
    opened = open_run(load({"sinks": [], "run": "shared", "env": "board"}))
    opened.join("somebody")
    make_current(opened)
    yield opened
    opened.close()


def meters(*names: str) -> dict[str, Any]:
    return {name: {"type": "LastValueMeter", "target": "loss"} for name in names}


def test_a_logger_that_names_no_run_joins_the_current_one(run: Run) -> None:
    view = MemorySink()
    with FlexLogger({"loss": {}}, meters("a"), sinks=[view]) as stat:
        assert (stat.session, stat.run, stat.env) == (run, "shared", "board")
        stat.add(a=1.0)
        stat.log(0)
    assert view.series("a") == [(0, 1.0)]
    assert view.closed, "its own sinks leave with it"
    assert not run.closed
    assert session.current() is run


@pytest.mark.parametrize("settings", [{"run": "own"}, {"project": "own"}, {"runlog": False}])
def test_a_logger_that_names_a_run_of_its_own_gets_it(run: Run, settings: Any) -> None:
    with FlexLogger({"loss": {}}, meters("a"), sinks=[], **settings) as stat:
        assert stat.session is not run


def test_two_loggers_make_one_dashboard(run: Run) -> None:
    view = MemorySink()
    with (
        FlexLogger({"loss": {}}, meters("train"), sinks=[view]) as first,
        FlexLogger({"loss": {}, "lr": {}}, meters("test"), run=first) as second,
    ):
        first.add(train=1.0)
        first.log(0)
        second.add(test=2.0, lr=0.1)
        second.log(0)
        assert first.flush()
        board = [item for item in view.items if isinstance(item, Definition)][-1]
        assert [plot.name for plot in board.plots] == ["loss", "lr"]
        assert [meter.name for meter in board.meters] == ["train", "test", "lr"]
        assert len(view.panel("loss").data) == 2
    assert [type(item) for item in on_disk(run.folder)].count(End) == 0


def test_a_run_ends_with_the_last_of_those_who_share_it() -> None:
    first = FlexLogger({"a": {}}, sinks=[])
    second = FlexLogger({"b": {}}, run=first)
    first.close()
    second.add(b=1.0)
    second.log(0)
    second.close()
    assert isinstance(on_disk(second.folder)[-1], End)
    assert second.status()["dropped"] == {}


def test_one_meter_in_two_loggers_is_refused_with_its_place(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "b.yaml"
    config.write_text("plots:\n  loss: {}\nmeters:\n  a: {type: SumMeter, target: loss}\n")
    with FlexLogger({"loss": {}}, meters("a")) as stat:
        with pytest.raises(ConfigError, match=r"b.yaml:4:3: meters.a: another logger of this run has a meter of this"):
            FlexLogger.from_config(config)
        with pytest.raises(ConfigError, match=r"plots.loss: another logger of this run declares this plot differently"):
            FlexLogger({"loss": {"type": "bar"}}, meters("b"))
        with FlexLogger({"loss": {}}, meters("b")) as other:
            with pytest.raises(ConfigError, match=r"meters.b: another logger"):
                stat.add_meter("b", "SumMeter", target="loss")
            other.add(b=1.0)
            other.log(0)
        stat.add_meter("b", "SumMeter", target="loss")
    with FlexLogger({"loss": {}}, meters("a")):
        pass


def test_a_logger_that_shares_a_run_is_drawn_where_the_run_is(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with FlexLogger({"loss": {}}, meters("a"), env="elsewhere") as stat:
        assert stat.env == "board"
    assert [r.getMessage() for r in caplog.records] == [
        "flexlogger: this logger shares run shared, which is drawn in environment 'board'; "
        "its own 'elsewhere' is left out"
    ]


def test_what_a_logger_declared_stays_on_the_dashboard_when_it_leaves(run: Run) -> None:
    view = MemorySink()
    with FlexLogger({"other": {}}, sinks=[view]) as stat:
        with FlexLogger({"loss": {}}, meters("a")):
            pass
        stat.add_plot("more")
        assert stat.flush()
        board = [item for item in view.items if isinstance(item, Definition)][-1]
        assert {plot.name for plot in board.plots} == {"loss", "other", "more"}


def test_anyone_may_declare_and_tell(run: Run) -> None:
    run.define("somebody", [PlotDef("p")], [MeterDef("m", "", "p")])
    with pytest.raises(ConfigError, match="another logger"):
        run.define("somebody else", [PlotDef("p")], [MeterDef("m", "", "p")])
    run.event("summary", {"set": {"best": 1.0}})
    run.configure({"lr": 0.1, "sizes": (1, 2)})
    assert run.flush()
    assert infos(run.folder, "summary") == [{"set": {"best": 1.0}}]
    assert infos(run.folder, "config") == [{"set": {"lr": 0.1, "sizes": [1, 2]}}]
    assert run.config == {"lr": 0.1, "sizes": [1, 2]}


def test_the_first_thing_in_a_log_says_what_the_run_is() -> None:
    said: Any = {"name": "Großer Lauf", "tags": ["a", "b", "a"], "notes": "none", "config": {"lr": 0.1}, "env": "e"}
    with FlexLogger({"p": {}}, sinks=[], run="r", project="digits", **said) as stat:
        stat.flush()
    first = on_disk(stat.folder)[0]
    assert isinstance(first, Event)
    assert first.kind == "run"
    expected = {"id": "r", "project": "digits", "name": "Großer Lauf", "tags": ["a", "b"], "notes": "none"}
    assert expected | {"config": {"lr": 0.1}, "env": "e", "uid": "e"} == {
        key: value for key, value in first.info.items() if key not in ("url", "rank", "world", "ranks")
    }
    header = read_header(segments(stat.folder)[0])
    assert header is not None
    assert (header.project, header.env, header.uid, header.resume) == ("digits", "e", "e", None)
    card = read_card(stat.folder)
    assert card is not None
    assert (card.name, card.tags, card.config, card.status) == ("Großer Lauf", ["a", "b"], {"lr": 0.1}, "finished")


def test_what_came_from_the_environment_stays_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("API_KEY", "PLANTED")
    path = tmp_path / "c.yaml"
    path.write_text("sinks: []\nconfig: {home: '${env:API_KEY}', nested: [{at: 'a ${env:API_KEY}'}]}\n")
    with FlexLogger.from_config(path) as stat:
        stat.flush()
        assert stat.session.config == {"home": "${env:API_KEY}", "nested": [{"at": "a ${env:API_KEY}"}]}
    files = [path for path in stat.folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert not [path for path in files if b"PLANTED" in path.read_bytes()]
    assert b"API_KEY" in (stat.folder / "run.json").read_bytes()


def test_a_run_that_is_taken_up_again_keeps_its_config() -> None:
    with FlexLogger({"p": {}}, sinks=[], run="r", config={"lr": 0.1, "depth": 3}):
        pass
    with FlexLogger({"p": {}}, sinks=[], run="r", config={"lr": 0.2}) as stat:
        assert stat.session.config == {"lr": 0.2, "depth": 3}


def test_the_environment_may_name_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXLOGGER_RUN", "from-outside")
    with FlexLogger({"p": {}}, sinks=[]) as stat:
        assert stat.run == "from-outside"
    with FlexLogger({"p": {}}, sinks=[], run="own") as stat:
        assert stat.run == "own"
    monkeypatch.setenv("FLEXLOGGER_RUN", "../up")
    with pytest.raises(ValueRefusedError, match=r"FLEXLOGGER_RUN: the server refuses the name '../up'"):
        FlexLogger({"p": {}}, sinks=[])


def test_resume_says_whether_there_must_be_a_run() -> None:
    dashboard = load({"sinks": [], "run": "r"})
    with pytest.raises(RunLogError, match="there is no run 'r'"):
        open_run(dashboard, resume="must")
    open_run(dashboard, resume="never").close()
    open_run(dashboard, resume="must").close()
    open_run(dashboard, resume="allow").close()
    with pytest.raises(RunLogError, match="run 'r' exists"):
        open_run(dashboard, resume="never")


def test_the_counter_of_a_resumed_run_goes_on_where_it_is_told() -> None:
    for settings in ({}, {"resume_step": 3}):
        with FlexLogger({"p": {}}, sinks=[view := MemorySink()], run="r", **settings) as stat:
            for n in range(5):
                stat.add(p=float(n))
                stat.log()
            assert stat.flush()
    assert view.series("p") == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 0.0), (4, 1.0), (5, 2.0), (6, 3.0), (7, 4.0)]


def test_a_cell_that_is_run_again_with_the_same_id_takes_the_run_over() -> None:
    first = FlexLogger({"p": {}}, sinks=[old := MemorySink()], run="r")
    first.add(p=1.0)
    first.log(0)
    with FlexLogger({"p": {}}, sinks=[new := MemorySink()], run="r") as second:
        assert (first.session.owner, second.session.owner) == (False, True)
        first.add(p=2.0)
        first.log(1)
        assert first.flush()
        second.add(p=3.0)
        second.log(2)
        assert second.flush()
        assert sorted(new.series("p")) == [(0, 1.0), (1, 2.0), (2, 3.0)]
    first.close()
    assert sorted(old.series("p")) == [(0, 1.0), (1, 2.0), (2, 3.0)]
    card = read_card(second.folder)
    assert card is not None
    assert card.status == "finished"


def test_an_owner_that_lost_its_claim_stops_drawing_and_is_heard_all_the_same(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.ownership.LOOK_S", 0.02)
    with FlexLogger({"p": {}}, sinks=[], run="r") as stat, caplog.at_level(logging.WARNING, "flexlogger"):
        (claim,) = stat.session.drawing._ownership.claims  # type: ignore[union-attr]
        stolen = claim.path.with_name("stolen.json")
        stolen.write_bytes(b'{"token": "other", "beat": 1e12}')
        os.replace(stolen, claim.path)  # as a process does that found this one asleep
        stat.session.drawing._lost(claim)
        assert not stat.session.owner
        assert set(stat.status()["views"]) == set()
        claim.path.unlink()
        wait_until(lambda: stat.session.owner)
        assert set(stat.status()["views"]) == {"card"}
    assert [r.getMessage().split(";")[0] for r in caplog.records] == [
        "flexlogger: this process was not heard of for too long, and another one draws run r now",
        "flexlogger: the owner of run r is gone",
    ]


def wait_until(holds: Any) -> None:
    import time

    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_crash_in_the_block_is_the_runs_end() -> None:
    stat = FlexLogger({"p": {}}, sinks=[])
    with pytest.raises(RuntimeError), stat:
        raise RuntimeError
    card = read_card(stat.folder)
    assert card is not None
    assert card.status == "crashed"


def test_sinks_of_one_kind_have_names_of_their_own() -> None:
    with FlexLogger({"p": {}}, sinks=[MemorySink(), MemorySink()]) as stat:
        assert set(stat.status()["views"]) == {"card", "MemorySink", "MemorySink 2"}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that takes no files")
def test_a_place_that_takes_no_files_is_refused_before_training_even_for_root() -> None:
    with pytest.raises(RunLogError, match=r"the run log cannot be kept in /proc/.*: /proc cannot be written \("):
        FlexLogger({"loss": {}}, sinks=[], dir="/proc/flexlogger")
