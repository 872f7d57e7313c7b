"""Where the ranks of a training bring their meters together: a collective with a time-out that names who is missing."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import torch

from flexlogger.errors import RanksError
from flexlogger.ranks import this_rank

MEET_S = 60.0
"""How long a rank waits for the others."""

_meeting: Meeting | None = None


class Meeting:
    """A process group of its own (gloo, on the CPU) for all ranks. Every rank has to make one; raises RanksError where
    no process group is open, or where a rank does not come."""

    def __init__(self) -> None:
        self.rank, self.world = this_rank()
        self._distributed = _distributed(self.rank, self.world)
        self._store = self._distributed.distributed_c10d._get_default_store()
        self._met = 0
        try:
            self._arrive()
            self._group = self._distributed.new_group(backend="gloo", timeout=timedelta(seconds=MEET_S))
        except RuntimeError as error:  # torch's own kinds of it
            raise self._error("opening a logger with reduce: true") from error

    def rows(self, name: str, state: torch.Tensor, additive: bool) -> torch.Tensor:
        """The (S,) float64 states of all ranks: (world, S), or (1, S) with their sum where they are `additive`.

        Raises RanksError where a rank does not come within `MEET_S` seconds; naming the meter, and who is missing.
        """
        rows = torch.zeros((1 if additive else self.world, len(state)), dtype=torch.float64)
        rows[0 if additive else self.rank] = state
        try:
            self._arrive()
            self._distributed.all_reduce(rows, group=self._group)
        except RuntimeError as error:
            raise self._error(f"log: meter {name!r} (reduce: true)") from error
        return rows

    def _arrive(self) -> None:
        self._met += 1
        self._store.set(_key(self.rank), str(self._met))

    def _error(self, where: str) -> RanksError:
        missing = [rank for rank in range(self.world) if not self._has_arrived(rank)]
        who = f"rank {', '.join(map(str, missing))}" if missing else "another rank"
        return RanksError(
            f"{where}: {who} of {self.world} did not come within {MEET_S:g} s; every rank has to call it as often as "
            "the others, for every such meter"
        )

    def _has_arrived(self, rank: int) -> bool:
        key = _key(rank)
        return bool(self._store.check([key])) and int(self._store.get(key)) >= self._met


def _key(rank: int) -> str:
    return f"flexlogger/met/{rank}"


def _distributed(rank: int, world: int) -> Any:
    module = sys.modules.get("torch.distributed")
    if module is None or not module.is_available() or not module.is_initialized():
        raise RanksError(
            f"rank {rank} of {world}: reduce: true brings meters together through torch.distributed; call "
            "torch.distributed.init_process_group before the logger is opened"
        )
    return module


def meeting() -> Meeting:
    """The one meeting of this process, made when it is first needed."""
    global _meeting
    if _meeting is None:
        _meeting = Meeting()
    return _meeting
