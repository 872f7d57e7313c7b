from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from flexlogger.errors import SinkError
from flexlogger.records import End, Event, Item, Record
from flexlogger.runs.card import Card, read_card, status_of, write_card
from flexlogger.runs.claims import STALE_S, Claim
from flexlogger.sinks import card as module
from flexlogger.sinks.base import Sink
from flexlogger.sinks.card import CardSink
from flexlogger.sinks.view import View

RUN = Event(1.0, "run", {"id": "r", "project": "p", "config": {"lr": 0.1}})


class Clock:
    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def card(folder: Path) -> Card:
    found = read_card(folder)
    assert found is not None
    return found


def test_a_card_sink_is_a_sink(tmp_path: Path) -> None:
    assert isinstance(CardSink(tmp_path), Sink)


def test_the_card_shows_the_run_as_it_goes(tmp_path: Path) -> None:
    clock = Clock()
    sink = CardSink(tmp_path, clock=clock)
    sink.write([RUN, Record(0, 2.0, {"loss": 0.5})])
    sink.flush()
    told = card(tmp_path)
    assert (told.id, told.config, told.summary, told.status, told.beat) == (
        "r",
        {"lr": 0.1},
        {"loss": 0.5},
        "running",
        100,
    )
    assert told.libraries["numpy"]
    assert status_of(told, clock.now) == "running"
    sink.write([Record(1, 3.0, {"loss": 0.25})])
    sink.flush()
    assert card(tmp_path).summary == {"loss": 0.25}


def test_it_is_written_when_something_changes_and_at_least_every_two_seconds(tmp_path: Path) -> None:
    clock = Clock()
    sink = CardSink(tmp_path, clock=clock)
    sink.write([RUN])
    beats = []
    for clock.now in (100.0, 100.5, 101.0, 101.5, 102.0, 102.5, 104.0):
        sink.flush()
        beats.append(card(tmp_path).beat)
    assert beats == [100.0, 100.0, 100.0, 100.0, 102.0, 102.0, 104.0]


@pytest.mark.parametrize("status", ["finished", "crashed"])
def test_the_end_of_the_log_is_the_end_in_the_card(tmp_path: Path, status: str) -> None:
    clock = Clock()
    sink = CardSink(tmp_path, clock=clock)
    sink.write([RUN, End(103.0, status)])
    sink.flush()
    clock.now = 200.0
    sink.flush()
    sink.close()
    told = card(tmp_path)
    assert (told.status, told.end, told.beat) == (status, 103.0, 100.0)


def test_a_run_that_nobody_ended_looks_crashed_once_its_heart_stands_still(tmp_path: Path) -> None:
    clock = Clock()
    sink = CardSink(tmp_path, clock=clock)
    sink.write([RUN])
    sink.flush()
    sink.close()
    assert card(tmp_path).status == "running"
    assert status_of(card(tmp_path), clock.now + STALE_S + 1) == "crashed"


def test_where_nothing_was_logged_there_is_no_card(tmp_path: Path) -> None:
    sink = CardSink(tmp_path / "run")
    sink.flush()
    assert not (tmp_path / "run").exists()


def test_the_claims_hearts_beat_with_it(tmp_path: Path) -> None:
    clock = Clock()
    mine, other = Claim(tmp_path / "owner.json", "r"), Claim(tmp_path / "owner.json", "x")
    assert mine.take(clock.now)
    lost: list[Claim] = []
    sink = CardSink(tmp_path, [mine], lost.append, clock=clock)
    for _ in range(10):
        clock.now += 2
        sink.flush()
        assert not other.take(clock.now)
    clock.now += STALE_S + 1
    assert other.take(clock.now)
    write_card(tmp_path, Card(id="of the successor"))
    for _ in range(3):
        sink.write([RUN])
        sink.flush()
        assert lost == [mine]
        clock.now += 2
    assert card(tmp_path).id == "of the successor"


def test_a_long_history_does_not_stop_the_heart(tmp_path: Path) -> None:
    clock = Clock()
    mine, other = Claim(tmp_path / "owner.json", "r"), Claim(tmp_path / "owner.json", "x")
    assert mine.take(clock.now)
    sink = CardSink(tmp_path, [mine], clock=clock)
    for step in range(20):
        sink.write([Record(step, float(step), {"a": 1.0})])
        clock.now += STALE_S / 2
        assert not other.take(clock.now)


def test_a_claim_that_was_given_back_is_not_lost(tmp_path: Path) -> None:
    clock = Clock()
    mine, window = Claim(tmp_path / "owner.json", "r"), Claim(tmp_path / "window.json", "r")
    assert mine.take(clock.now)
    assert window.take(clock.now)
    lost: list[Claim] = []
    sink = CardSink(tmp_path, [mine, window], lost.append, clock=clock)
    sink.write([RUN])
    sink.flush()
    window.release()
    clock.now += 2
    sink.flush()
    assert lost == []
    assert card(tmp_path).beat == clock.now


def refuse(folder: Path, card: Card) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_goes_on_refusing_is_a_sink_error_and_the_claim_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    mine, other = Claim(tmp_path / "owner.json", "r"), Claim(tmp_path / "owner.json", "x")
    assert mine.take(clock.now)
    sink = CardSink(tmp_path, [mine], clock=clock)
    sink.write([RUN])
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_card", refuse)
        while clock.now < 110:
            sink.flush()
            clock.now += 1
        clock.now += 1
        for _ in range(10):
            with pytest.raises(SinkError, match=r"cannot write .*run\.json \(No space left on device\)"):
                sink.flush()
            assert not other.take(clock.now)
            clock.now += 2
    sink.flush()
    assert card(tmp_path).id == "r"


def test_while_the_log_is_refused_its_card_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    sink = CardSink(tmp_path, log_refused=lambda: True, clock=clock)
    sink.write([RUN])
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_card", refuse)
        for clock.now in range(100, 200, 5):
            sink.flush()
    sink.flush()
    assert card(tmp_path).id == "r"


def test_a_card_that_is_refused_is_told_in_one_warning_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run.json").mkdir()
    clock = Clock()
    sink = CardSink(tmp_path, clock=clock)
    sink.write([RUN])
    sink.flush()
    clock.now += 2 * STALE_S
    with caplog.at_level(logging.WARNING, "flexlogger"):
        view = View(sink, "run.json", patience=0.01)
        for _ in range(3):
            assert not view.flush(0.2)
        (tmp_path / "run.json").rmdir()
        assert view.flush(10)
        view.close(5)
    assert card(tmp_path).id == "r"
    told = [record.getMessage() for record in caplog.records]
    assert len([message for message in told if "Is a directory" in message]) == 1


def test_a_resumed_run_shows_its_whole_history(tmp_path: Path) -> None:
    sink = CardSink(tmp_path)
    history: list[Item] = [RUN, Record(0, 2.0, {"a": 1.0}), Event(3.0, "metric", {"name": "a", "summary": ["max"]})]
    sink.write(history)
    sink.write([Event(9.0, "run", {"id": "r"}), Record(1, 10.0, {"a": 0.5})])
    sink.flush()
    told = card(tmp_path)
    assert (told.resumed, told.start, told.last_step, told.summary) == (1, 1.0, 1, {"a": {"max": 1.0}})
