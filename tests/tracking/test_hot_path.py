"""The training thread's promise, by counting: `log` encodes nothing, writes nothing, waits for nothing."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

import pytest
import torch

import flexlogger.runs as wandb
from tests.test_hot_path_counts import Watched

VALUES = {"loss": 0.5, "acc": 0.25, "lr": 0.1}
CALLS = {
    "list.append",
    "list.items",
    "dict.items",
    "dict.keys",
    "dict.update",
    "dict.values",
    "set.add",
    "set.update",
    "time.time",
    "math.floor",
    "math.isfinite",
    "deque.append",
    "deque.popleft",
    "builtins.len",
    "builtins.isinstance",
    "builtins.id",  # what is nested is looked at for cycles
    "set.discard",
    "builtins.all",
    "builtins.max",
    "builtins.sum",
    "_abc._abc_instancecheck",
    "sys.setprofile",
    "Tensor.is_complex",
    "Tensor.item",
    "type.__new__",
    "RLock.__exit__",  # only other training threads hold it, never the worker
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[wandb.TrackedRun]:
    """A run whose worker sleeps until it is asked to flush."""
    monkeypatch.setattr("flexlogger.pipe.thread.POLL_S", 3600.0)
    yield wandb.init("p", mode="offline")
    monkeypatch.undo()
    wandb.finish()


LOSS = torch.tensor(0.5)


@pytest.mark.parametrize(
    "log",
    [
        lambda n: wandb.log(VALUES),
        lambda n: wandb.log(VALUES, step=n),
        lambda n: wandb.log(VALUES, commit=n % 4 == 0),
        lambda n: wandb.log({"loss": LOSS, "epoch": n}),
        lambda n: wandb.log({"train": {"loss": LOSS, "none": None}}),
    ],
    ids=["numbers", "steps", "commits", "tensors", "nested"],
)
def test_log_calls_only_these(run: wandb.TrackedRun, log: Callable[[int], None]) -> None:
    watched = Watched()
    for n in range(100):
        log(n)
    gc.disable()  # what a collection calls back is not ours
    sys.setprofile(watched)
    try:
        for n in range(100, 200):
            log(n)
    finally:
        sys.setprofile(None)
        gc.enable()
    assert watched.calls <= CALLS, watched.calls - CALLS
