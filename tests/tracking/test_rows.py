from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.readback import Copied, Readback
from flexlogger.records import Datum, Record
from flexlogger.sinks.memory import MemorySink
from flexlogger.sinks.view import View
from flexlogger.tracking import rows as module
from flexlogger.tracking.rows import Rows
from flexlogger.tracking.values import Call


class Gate:
    """Stands for a CUDA event; it passes when the test says so."""

    def __init__(self) -> None:
        self.passed = False

    def query(self) -> bool:
        return self.passed


class Bench:
    """Rows on a pipe of their own, and what comes out of it."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.gates: list[Gate] = []
        self.readback = Readback(self.copy)
        self.sink = MemorySink()
        self.pipe = ThreadPipe(Feed(None, [View(self.sink, "memory")]), source=self.readback)
        self.refused: dict[str, int] = {}
        self.rows = Rows(self.pipe, self.readback, 0, 10**6, self.refuse, clock=lambda: clock[0])

    def copy(self, tensors: Sequence[torch.Tensor]) -> Copied:
        self.gates.append(Gate())
        return Copied([tensor.clone() for tensor in tensors], self.gates[-1])

    def refuse(self, name: str, size: int) -> None:
        self.refused[name] = size

    def log(self, step: float | None = None, commit: bool | None = None, **values: float) -> None:
        self.rows.add_numbers(dict(values), self.clock[0], step, commit)

    def records(self) -> list[tuple[float, dict[str, float]]]:
        assert self.pipe.flush(10.0, views=True)
        return [(record.step, dict(record.values)) for record in self.sink.records]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench([1000.0])
    yield bench
    assert bench.pipe.close(5.0)


def test_calls_without_a_step_count_by_themselves(bench: Bench) -> None:
    for number in range(3):
        bench.log(loss=float(number))
    assert bench.records() == [(0, {"loss": 0.0}), (1, {"loss": 1.0}), (2, {"loss": 2.0})]
    assert bench.rows.step == 3


def test_commit_false_collects_until_a_call_that_commits(bench: Bench) -> None:
    bench.log(a=1.0, commit=False)
    bench.log(b=2.0, a=3.0, commit=False)
    bench.clock[0] += 3600
    assert bench.records() == []
    bench.log(c=4.0)
    bench.log(a=5.0)
    assert bench.records() == [(0, {"a": 3.0, "b": 2.0, "c": 4.0}), (1, {"a": 5.0})]


def test_a_call_of_nothing_ends_a_step_that_is_open(bench: Bench) -> None:
    bench.log()
    bench.log(a=1.0, commit=False)
    bench.log()
    bench.log(step=5, a=2.0)
    bench.log(step=5, commit=True)
    bench.log(a=3.0)
    assert bench.records() == [(0, {"a": 1.0}), (5, {"a": 2.0}), (6, {"a": 3.0})]


def test_calls_at_one_step_are_one_record(bench: Bench) -> None:
    bench.log(step=5, a=1.0)
    bench.log(step=5, b=2.0)
    bench.log(step=6, a=3.0)
    bench.log(b=4.0)
    bench.log(a=5.0)
    assert bench.records() == [(5, {"a": 1.0, "b": 2.0}), (6, {"a": 3.0, "b": 4.0}), (7, {"a": 5.0})]


def test_commit_ends_the_step_that_was_named(bench: Bench) -> None:
    bench.log(step=5, commit=True, a=1.0)
    bench.log(a=2.0)
    assert bench.records() == [(5, {"a": 1.0}), (6, {"a": 2.0})]


def test_steps_may_come_in_any_order_and_be_fractions(bench: Bench) -> None:
    for step in (9, 2.5, 4):
        bench.log(step=step, a=float(step))
    bench.log(a=0.0)
    bench.log(a=0.0)
    assert [step for step, _ in bench.records()] == [9, 2.5, 4, 5]


def test_a_step_is_sent_off_after_a_moment_and_goes_on_at_the_same_number(bench: Bench) -> None:
    bench.log(step=5, a=1.0)
    bench.clock[0] += module.HOLD_S
    assert bench.records() == [(5, {"a": 1.0})]
    bench.log(b=2.0)
    bench.log(a=3.0)
    assert bench.records() == [(5, {"a": 1.0}), (5, {"b": 2.0}), (6, {"a": 3.0})]


def test_settle_sends_off_what_waits_for_a_moment_only(bench: Bench) -> None:
    bench.log(a=1.0, commit=False)
    bench.rows.settle()
    assert bench.records() == []
    bench.log(step=0, b=1.0)
    bench.rows.settle()
    assert bench.records() == []
    bench.rows.release()
    assert bench.records() == [(0, {"a": 1.0, "b": 1.0})]
    bench.log(step=3, c=1.0)
    bench.rows.settle()
    assert bench.records()[1:] == [(3, {"c": 1.0})]


def test_values_to_be_encoded_join_the_record_of_their_step(bench: Bench) -> None:
    class Word:
        def to_datum(self, name: str) -> Datum:
            return Datum(name, "text", "word")

    bench.log(step=1, a=1.0)
    bench.rows.add(Call({"w": Word(), "m": torch.eye(2), "a": 2.0}, 1000), 1000.0, 1, None)
    bench.rows.release()
    assert bench.records() == [(1, {"a": 2.0})]
    assert [datum.name for datum in bench.sink.records[0].data] == ["m", "w"]


def on_device(**values: float) -> Call:
    """A call whose numbers are on a pretended device."""
    call = Call({}, 1000)
    call.scalars.update({name: torch.tensor(value) for name, value in values.items()})
    return call


def test_values_on_a_device_join_the_record_of_their_step_once_they_arrive(bench: Bench) -> None:
    bench.log(step=1, lr=0.5)
    bench.rows.add(on_device(loss=2.0), 1000.0, 1, None)
    bench.log(step=2, lr=0.25)
    bench.log(step=3, lr=0.125)
    assert not bench.pipe.flush(0.3), "later records wait behind one that has not arrived"
    assert bench.sink.records == []
    bench.gates[0].passed = True
    assert bench.records() == [(1, {"lr": 0.5, "loss": 2.0}), (2, {"lr": 0.25})]
    bench.rows.release()
    assert bench.records()[2:] == [(3, {"lr": 0.125})]


def test_a_step_that_is_kept_back_does_not_hold_up_others_while_it_has_not_arrived(bench: Bench) -> None:
    bench.rows.add(on_device(loss=2.0), 1000.0, 1, None)
    bench.clock[0] += module.HOLD_S
    bench.gates[0].passed = True
    assert bench.records() == [(1, {"loss": 2.0})]
    assert bench.readback.reserve(2**26 - 1), "what was reserved is free again"


def test_a_value_that_is_too_large_once_encoded_is_refused_and_counted(bench: Bench) -> None:
    class Long:
        def to_datum(self, name: str) -> Datum:
            return Datum(name, "text", "x" * 10**6 + "x")

    bench.rows.add(Call({"long": Long(), "a": 1.0}, 10**6), 1000.0, None, None)
    assert bench.records() == [(0, {"a": 1.0})]
    assert bench.sink.records[0].data == ()
    assert bench.refused == {"long": 10**6 + 1}


def test_the_record_is_the_callers_no_longer(bench: Bench) -> None:
    bench.log(step=1, a=1.0)
    bench.rows.close()
    assert bench.readback.holders == ()
    assert bench.records() == [(1, {"a": 1.0})]


def test_a_forked_child_does_not_send_what_its_parent_keeps_back(bench: Bench) -> None:
    bench.log(step=1, a=1.0)
    bench.readback.forget()
    bench.rows.release()
    assert bench.records() == []
    bench.log(step=1, b=1.0)
    bench.log(c=1.0, commit=False)
    assert bench.records() == [(1, {"b": 1.0}), (1, {"c": 1.0})], "and keeps nothing back itself"


def test_the_record_of_a_row_is_plain(bench: Bench) -> None:
    bench.log(step=1, a=1.0)
    assert bench.records() == []
    bench.log(step=2, a=1.0)
    assert bench.pipe.flush(10.0, views=True)
    assert bench.sink.records == [Record(1, 1000.0, {"a": 1.0})]
