"""A disk that refuses `run.json`: when it is told, and when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from flexlogger.errors import SinkError
from flexlogger.records import Item, Record
from flexlogger.runs.card import read_card
from flexlogger.sinks.card import CardSink

RECORDS: list[Item] = [Record(3, 0.0, {"loss": 1.0})]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refuse(folder: Path) -> Path:
    """Nothing can take the place of a folder."""
    card = folder / "run.json"
    card.mkdir()
    return card


def test_a_refused_card_is_told_once_the_run_would_be_taken_for_dead(tmp_path: Path) -> None:
    clock, card = Clock(), refuse(tmp_path)
    sink = CardSink(tmp_path, clock=clock)
    sink.write(RECORDS)
    sink.flush()
    clock.now += 9.0
    sink.flush()
    clock.now += 2.0
    with pytest.raises(SinkError, match=r"cannot write .*run\.json"):
        sink.flush()
    card.rmdir()
    sink.flush()
    written = read_card(tmp_path)
    assert written is not None
    assert (written.last_step, written.beat) == (3, 111.0)


def test_a_refused_card_is_no_news_while_the_log_is_refused(tmp_path: Path) -> None:
    clock, card = Clock(), refuse(tmp_path)
    sink = CardSink(tmp_path, log_refused=lambda: True, clock=clock)
    sink.write(RECORDS)
    for _ in range(5):
        sink.flush()
        clock.now += 10.0
    card.rmdir()
    sink.flush()
    assert read_card(tmp_path) is not None
