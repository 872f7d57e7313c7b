"""Under torch.distributed all ranks collect the same steps: rank 0 decides, the others are told."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist


class Agreement:
    """Called by every rank at the same step with its own number, gives all of them rank 0's.

    Where the process group only knows devices (NCCL), waiting for the number would stop the stream: every rank then
    gets the number of the call before, which has long arrived.
    """

    def __init__(self) -> None:
        self._sent: tuple[torch.Tensor, Any] | None = None

    def __call__(self, number: int) -> int:
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return number
        if "cpu:" in dist.get_backend_config():
            told = torch.tensor([number])
            dist.broadcast(told, 0)
            return int(told)
        return self._late(number)

    def _late(self, number: int) -> int:
        told = torch.tensor([number], pin_memory=True).to("cuda", non_blocking=True)
        dist.broadcast(told, 0)
        before, host = self._sent, torch.empty(1, dtype=torch.int64, pin_memory=True)
        host.copy_(told, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        event.record()
        self._sent = host, event
        if before is None:
            return FIRST_LATE
        before[1].synchronize()
        return int(before[0])


FIRST_LATE = 5
"""What all ranks use before rank 0's first number has arrived."""
