"""Which of several processes of one training this is, and how they agree on their run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

from flexlogger.errors import RunLogError

AGREE_S = 120.0
"""How long a rank waits for rank 0 to say which run it opened."""
_opened = count()


class Rank(NamedTuple):
    """This process is number `rank` of `world`."""

    rank: int = 0
    world: int = 1


def this_rank() -> Rank:
    """Ask torch.distributed where a process group is open, else RANK and WORLD_SIZE, else this is the only one."""
    distributed = _distributed()
    if distributed is not None:
        return Rank(distributed.get_rank(), distributed.get_world_size())
    rank, world = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if rank.isdecimal() and world.isdecimal() and int(rank) < int(world):
        return Rank(int(rank), int(world))
    return Rank()


def agree_on(make: Callable[[], str], where: Rank) -> str:
    """The name that rank 0 makes, on every rank. Rank 0 does not wait; the others do, for at most `AGREE_S` seconds.

    It goes through the store that torch.distributed has met in, as text. Every rank has to come here as often as rank
    0 does. Raises RunLogError where there is no process group, or where rank 0 does not come.
    """
    if where.world == 1:
        return make()
    distributed = _distributed()
    if distributed is None:
        raise RunLogError(
            f"rank {where.rank} of {where.world}: expected a name that all ranks log under; name the run with "
            "FLEXLOGGER_RUN or run, or call torch.distributed.init_process_group first"
        )
    store, key = distributed.distributed_c10d._get_default_store(), f"flexlogger/run/{next(_opened)}"
    if where.rank == 0:
        name = make()
        store.set(key, name)
        return name
    try:
        store.wait([key], timedelta(seconds=AGREE_S))
    except RuntimeError as error:  # torch's own kinds of it
        raise RunLogError(
            f"rank {where.rank} of {where.world}: rank 0 opened no run within {AGREE_S:g} s; open one there too, or "
            "name the run with FLEXLOGGER_RUN or run"
        ) from error
    return str(store.get(key).decode())


def _distributed() -> Any:
    """torch.distributed, where a process group is open."""
    module = sys.modules.get("torch.distributed")
    return module if module is not None and module.is_available() and module.is_initialized() else None
