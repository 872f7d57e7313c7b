from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from flexlogger import faults
from flexlogger.errors import ServerError
from flexlogger.records import Item, Record
from flexlogger.runs.segment import SegmentWriter
from flexlogger.runs.tail import Tail
from flexlogger.sinks.memory import MemorySink
from flexlogger.sinks.view import View


class Flaky(MemorySink):
    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.tries = 0
        self.failed = threading.Event()
        self.recovered = threading.Event()

    def flush(self) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            self.failed.set()
            raise ServerError("no dashboard server answers")
        super().flush()
        self.recovered.set()


def batch(*steps: int) -> Sequence[Item]:
    return [Record(step, 0.0, {"loss": float(step)}) for step in steps]


def test_a_server_that_is_away_gives_one_warning_with_the_command_and_is_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.BACK_OFF_S", (0.01, 0.05))
    sink = Flaky(failures=4)
    with caplog.at_level(logging.WARNING, "flexlogger"):
        view = View(sink, "visdom", repair="Start a server with: flexlogger server --port 8097")
        view.offer(batch(0, 1), None, 0)
        assert sink.recovered.wait(10)
        assert view.flush(5)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "flexlogger server --port 8097" in messages[0]
    assert "is back" in messages[1]
    assert sink.series("loss") == [(0, 0.0), (1, 1.0)]
    assert view.status()["ok"]
    view.close(5)


def test_outages_are_counted_with_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.BACK_OFF_S", (0.01, 0.05))
    now = [100.0]
    sink = Flaky(failures=1)
    view = View(sink, "visdom", clock=lambda: now[0])
    view.offer(batch(0), None, 0)
    while view.status()["ok"]:
        assert sink.failed.wait(10)
    now[0] += 60.0
    assert view.status()["away_s"] == 60.0
    assert view.flush(5)
    now[0] += 60.0
    assert (view.status()["outages"], view.status()["away_s"]) == (1, 60.0)
    view.close(5)


def test_closing_gives_up_soon_where_the_server_was_away_all_along() -> None:
    sink = Flaky(failures=10**9)
    view = View(sink, "visdom")
    view.offer(batch(0), None, 0)
    assert sink.failed.wait(5)
    assert not view.close(60)
    assert view.status()["failures"] >= 1
    assert view.status()["error"] == "no dashboard server answers"


def test_history_is_shown_before_anything_new(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "run")
    writer.append(batch(0, 1, 2))
    writer.commit()
    sink = MemorySink()
    view = View(sink, "memory", tail=Tail(tmp_path))
    view.offer(batch(3), None, 0)
    assert view.flush(5)
    assert [step for step, _ in sink.series("loss")] == [0, 1, 2, 3]
    view.close(5)


class Broken(MemorySink):
    def write(self, batch: Sequence[Item]) -> None:
        raise TypeError("a bug of ours")


def test_a_bug_in_a_sink_is_reported_once_and_stays_out_of_training(caplog: pytest.LogCaptureFixture) -> None:
    view = View(Broken(), "broken")
    for _ in range(3):
        view.offer(batch(0), None, 0)
        view.flush(0.2)
    assert len([r for r in caplog.records if "the broken view" in r.getMessage()]) == 1
    assert isinstance(faults.seen[0], TypeError)
    faults.forget()
    view.close(1)


def test_what_comes_between_two_refreshes_is_taken_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], MemorySink()
    view = View(sink, "memory", clock=lambda: now[0])
    assert view.flush(5)  # the thread sleeps now; from here its steps are ours
    for step in range(10):
        view.offer(batch(step), None, 0)
        view._step()
    assert sink.items == []
    now[0] += 0.5
    view._step()
    assert sink.items == batch(*range(10))
    view.close(5)


class Heard(MemorySink):
    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()

    def write(self, batch: Sequence[Item]) -> None:
        super().write(batch)
        self.taken.set()


class Computing(MemorySink):
    """A sink whose every flush takes some of the processor's time."""

    def __init__(self, computes: float) -> None:
        super().__init__()
        self.computes = computes
        self.computed = 0.0

    def flush(self) -> None:
        self.computed += self.computes
        super().flush()


@pytest.mark.parametrize(("computes", "rests"), [(0.01, 0.5), (0.1, 3.9), (1.0, 10.0)])
def test_a_view_rests_for_what_it_has_computed(computes: float, rests: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training may have waited for it: it has a fortieth of the time, and the largest are late by seconds only."""
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], Computing(computes)
    view = View(sink, "memory", clock=lambda: now[0], computed=lambda: sink.computed)
    assert view.flush(5)  # the thread sleeps now; from here its steps are ours
    flushes = view.status()["flushes"]
    for later, more in ((rests - 0.01, 0), (0.02, 1)):
        now[0] += later
        view.offer(batch(0), None, 0)
        view._step()
        assert view.status()["flushes"] == flushes + more
    view.close(5)


@pytest.mark.parametrize(("step", "rests"), [(0.05, 10.0), (0.4, 10.0), (1.0, 10.0), (2.0, 0.5)])
def test_a_view_rests_between_steps_that_take_a_while_too(
    step: float, rests: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But where they are so far apart, each may be shown."""
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], Computing(1.0)
    view = View(sink, "memory", clock=lambda: now[0], computed=lambda: sink.computed)
    for _ in range(3):
        now[0] += step
        view.offer(batch(0), None, 0)
    assert view.flush(5)
    flushes, ended = view.status()["flushes"], now[0] + rests
    while now[0] + step < ended:
        now[0] += step
        view._step()  # just before the next comes
        assert view.status()["flushes"] == flushes
        view.offer(batch(0), None, 0)
    now[0] = ended + step
    view._step()
    assert view.status()["flushes"] == flushes + 1
    view.close(5)


def test_a_pause_does_not_cut_the_rest_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """In it a view has nothing to show, and computes nothing: what it had computed before still counts."""
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], Computing(1.0)
    view = View(sink, "memory", clock=lambda: now[0], computed=lambda: sink.computed)
    assert view.flush(5)
    sink.computes = 0.0
    now[0] += 1.0
    view._step()
    flushes = view.status()["flushes"]
    for _ in range(30):
        now[0] += 0.1
        view.offer(batch(0), None, 0)
        view._step()
    assert view.status()["flushes"] == flushes
    now[0] += 1.0
    view._step()
    assert view.status()["flushes"] == flushes + 1
    view.close(5)


def test_what_came_last_is_shown_soon_however_much_was_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that has ended, or a slow one: nobody trains that would have to wait."""
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], Computing(1.0)
    view = View(sink, "memory", clock=lambda: now[0], computed=lambda: sink.computed)
    assert view.flush(5)
    flushes = view.status()["flushes"]
    view.offer(batch(0), None, 0)
    for later, more in ((0.49, 0), (0.02, 1)):
        now[0] += later
        view._step()
        assert view.status()["flushes"] == flushes + more
    view.close(5)


def test_what_is_much_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    monkeypatch.setattr("flexlogger.sinks.handover.WAITING_BYTES", 512)
    sink = Heard()
    view = View(sink, "memory", clock=lambda: 100.0)
    assert view.flush(5)  # due again half a second later, which never comes
    view.offer(batch(0), None, 0)
    assert sink.taken.wait(5)
    assert sink.items == batch(0)
    view.close(5)


def test_a_view_that_has_shown_everything_says_so_when_it_is_closed_again() -> None:
    """As Ctrl-C makes a run close its views twice."""
    view = View(MemorySink(), "memory")
    view.offer(batch(0), None, 0)
    assert view.close(5)
    assert view.close(5)


def test_logs_that_come_unevenly_are_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a loss at once and the layers' statistics a moment later: between two steps it is not quiet."""
    monkeypatch.setattr("flexlogger.sinks.view.POLL_S", 3600.0)
    now, sink = [100.0], Computing(1.0)
    view = View(sink, "memory", clock=lambda: now[0], computed=lambda: sink.computed)
    gaps = [0.06, 0.44] * 4
    for gap in gaps:
        now[0] += gap
        view.offer(batch(0), None, 0)
    assert view.flush(5)
    flushes = view.status()["flushes"]
    for gap in gaps:
        now[0] += gap
        view._step()
        assert view.status()["flushes"] == flushes
        view.offer(batch(0), None, 0)
    view.close(5)
