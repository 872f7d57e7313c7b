"""A training whose data loader's workers log too."""

from __future__ import annotations

import time
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from tests.chaos.training import Notes, Plan, value_of, write_whole
from tests.chaos.truth import Truth


class Loading(Plan, frozen=True, kw_only=True):
    """What a training with two workers does: each index is logged once, by the worker that loads it."""

    persistent: bool
    epochs: int = 3
    items: int = 400


class Items(Dataset[int]):
    """Logs what it loads."""

    def __init__(self, stat: Any) -> None:
        self._stat = stat

    def __getitem__(self, index: int) -> int:
        self._stat.add(seen=float(index))
        self._stat.log(index)
        return index


class OneAfterTheOther(Sampler[int]):
    """Indices that no epoch shares with another."""

    def __init__(self, items: int) -> None:
        self._items = items
        self._epoch = 0

    def __iter__(self) -> Any:
        start, self._epoch = self._epoch * self._items, self._epoch + 1
        return iter(range(start, start + self._items))

    def __len__(self) -> int:
        return self._items


def train_with_workers(plan: Loading) -> None:
    """Log a loss a batch here, and each item in the worker that loads it."""
    from flexlogger import FlexLogger, faults

    notes = Notes()
    truth = Truth(plan.home / "truth")
    meters = {"loss": {"type": "AverageValueMeter"}, "seen": {"type": "AverageValueMeter", "target": "loss"}}
    with FlexLogger({"loss": {}}, meters, **plan.settings) as stat:
        loader = DataLoader(
            Items(stat),
            batch_size=4,
            num_workers=2,
            sampler=OneAfterTheOther(plan.items),
            multiprocessing_context="fork",
            persistent_workers=plan.persistent,
        )
        step = 0
        for _ in range(plan.epochs):
            for _batch in loader:
                value = value_of(plan.seed, step)
                stat.add(loss=value)
                stat.log(step)
                truth.note(step, value, time.time(), 0.0, 0.0, 0.0, 0.0)
                step += 1
        del loader
        shown = stat.flush(plan.flush_s)
        status = stat.status()
    told = {"status": status, "shown": shown, "end": stat.status(), "said": notes.said}
    write_whole(plan.home / "report.json", told | {"faults": [repr(fault) for fault in faults.seen]})
