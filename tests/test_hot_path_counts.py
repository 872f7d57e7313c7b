"""The training thread's promise, by counting instead of timing: `add` and `log` allocate little, and call nobody."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from flexlogger import FlexLogger
from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.records import Record
from flexlogger.sinks.memory import MemorySink

NAMES = ("train_loss", "train_acc", "lr", "grad_norm", "samples_per_s")
STEPS = 10_000


@pytest.fixture
def stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlexLogger]:
    """A logger of five averages whose worker sleeps until it is asked to flush."""
    monkeypatch.setattr("flexlogger.pipe.thread.POLL_S", 3600.0)
    meters = {name: {"type": "AverageValueMeter", "target": "scalars"} for name in NAMES}
    with FlexLogger({"scalars": {"type": "line"}}, meters, sinks=[MemorySink()]) as logger:
        logger.flush()
        yield logger
        train(logger, 10**6, 1)  # the worker goes round again at once only where it has found something


Classifier = Callable[[int], FlexLogger]


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    """Makes loggers of a loss, an accuracy, and some confusion matrices."""
    with ExitStack() as stack:

        def make(matrices: int) -> FlexLogger:
            meters: dict[str, Any] = {
                "train_loss": {"type": "AverageValueMeter"},
                "train_acc": {"type": "AccuracyMeter"},
            }
            meters |= {f"confusion_{i}": {"type": "ConfusionMeter", "opts": {"k": 10}} for i in range(matrices)}
            plots = {name: {"type": "heatmap" if "confusion" in name else "line"} for name in meters}
            meters = {name: {**meter, "target": name} for name, meter in meters.items()}
            return stack.enter_context(FlexLogger(plots, meters, sinks=[MemorySink()]))

        yield make


def train(stat: FlexLogger, first: int, steps: int) -> None:
    values = dict.fromkeys(NAMES, 0.5)
    for step in range(first, first + steps):
        stat.add(values)
        stat.log(step)


def test_a_step_leaves_only_its_record_behind(stat: FlexLogger) -> None:
    """A record, its dict and the dict's table, its time and its step: five blocks are queued, nothing beside them."""
    train(stat, 0, 100)
    stat.flush()
    before = sys.getallocatedblocks()
    train(stat, 1000, STEPS)
    grown = sys.getallocatedblocks() - before
    assert grown <= 5.2 * STEPS


def test_nothing_stays_once_it_is_written(stat: FlexLogger) -> None:
    train(stat, 0, 100)
    stat.flush()
    sink = stat_sink(stat)
    sink.items.clear()
    before = sys.getallocatedblocks()
    train(stat, 1000, STEPS)
    stat.flush()
    sink.items.clear()
    assert sys.getallocatedblocks() - before < STEPS // 10


def stat_sink(stat: FlexLogger) -> MemorySink:
    (view,) = (view for view in stat._pipe._feed.views if view.name == "MemorySink")
    sink = view._sink  # type: ignore[attr-defined]
    assert isinstance(sink, MemorySink)
    return sink


class Watched:
    """Notes what a thread calls in C: the profiler is told of every such call, whoever makes it."""

    def __init__(self) -> None:
        self.calls: set[str] = set()

    def __call__(self, frame: Any, event: str, called: Any) -> None:
        if event == "c_call":
            owner = getattr(called, "__self__", None)
            kind = owner.__name__ if isinstance(owner, type(os)) else type(owner).__name__
            self.calls.add(f"{kind}.{called.__name__}")


def test_add_and_log_call_only_these(stat: FlexLogger) -> None:
    """No lock, no event, no write, no socket, no encoder: the whole list of what they call outside of Python."""
    watched = Watched()
    train(stat, 0, 100)
    gc.disable()  # what a collection calls back (hypothesis listens) is not ours
    sys.setprofile(watched)
    try:
        train(stat, 100, 1000)
    finally:
        sys.setprofile(None)
        gc.enable()
    # getitem, pop … on lists and dicts of ours; one clock; one append.
    assert watched.calls <= {
        "list.append",
        "list.pop",
        "dict.items",
        "dict.update",
        "dict.fromkeys",
        "time.time",
        "deque.append",
        "builtins.len",
        "type.fromkeys",
    } | {"sys.setprofile"}, watched.calls


class Operations(TorchDispatchMode):
    """Notes the operations torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


def test_a_classifiers_step_asks_torch_for_no_more_than_it_must(classifier: Classifier) -> None:
    """One read for the loss, two operations for the accuracy: between steps each takes ten times as long as usual."""
    stat = classifier(0)
    output, target = torch.rand(32, 10, requires_grad=True), torch.randint(10, (32,))
    loss = functional.cross_entropy(output, target)
    with Operations() as asked:
        stat.add({"train_loss": loss, "train_acc": [output, target]})
        stat.log()
    assert asked.names == ["aten::_local_scalar_dense", "aten::argmax", "aten::eq_"]
    assert stat.last("train_acc") == float((output.argmax(1) == target).float().mean())


def test_meters_that_rest_cost_a_step_nothing(classifier: Classifier) -> None:
    """What is measured once an epoch is not asked for after every step."""
    few, many = (calls_of_a_step(classifier(resting)) for resting in (1, 20))
    assert few == many


def test_a_step_calls_four_functions_of_ours(stat: FlexLogger) -> None:
    """`add`, `log`, whether the device is waited for, the pipe's `submit`; the counter says the step without a call."""
    train(stat, 7, 1)
    assert calls_of_a_step(stat) == 4


def calls_of_a_step(stat: FlexLogger) -> int:
    count = 0

    def called(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    gc.disable()
    sys.setprofile(called)
    try:
        stat.add({"train_loss": 0.5})
        stat.log()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def test_submit_makes_no_system_call_and_takes_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = ThreadPipe(Feed(None, ()))
    calls: list[str] = []

    def forbid(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, called)

    for owner, names in (
        (os, ("write", "read", "open", "fsync", "getpid")),
        (time, ("sleep", "monotonic", "time")),
        (socket.socket, ("send", "sendall", "connect", "recv")),
        (threading.Event, ("set", "wait", "clear")),
        (threading.Condition, ("acquire", "wait", "notify")),
    ):
        for name in names:
            if hasattr(owner, name):
                forbid(owner, name)
    record = Record(0, 0.0, {"loss": 0.5})
    assert all(pipe.submit(record) for _ in range(STEPS))
    taken = list(calls)
    monkeypatch.undo()
    assert pipe.close(5.0)
    assert taken == []
