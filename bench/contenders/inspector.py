"""What the training thread pays for a tensor that is looked at, beside a copy of the same tensor."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from flexlogger.inspector.callbacks import takes_arrays
from flexlogger.inspector.handler import ParallelHandler

NEVER = 10**12


@takes_arrays
def nothing(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    pass


class Contender:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._handler = ParallelHandler(nothing, frequency=NEVER)
        self._handler.track_layer(0, {"unused": nn.Identity()})
        self._outbox = self._handler._outboxes[0][1]

    def round(self, what: str, **request: Any) -> dict[str, Any]:
        """`what` is send (of `entries` float32, `times`) or idle (`times` calls)."""
        answer: dict[str, Any] = getattr(self, f"_{what}")(**request)
        return answer

    def _send(self, entries: int, times: int) -> dict[str, Any]:
        """Each tensor is new, as a layer's output is, and copied once in each of the two ways, in turns."""
        place, before = torch.zeros(entries), self._outbox.sent
        sent: list[float] = []
        copied: list[float] = []
        for turn in range(times):
            self._settle()
            ways = [(copied, place.copy_), (sent, partial(self._outbox.send, "a", turn))]
            for found, way in ways if turn % 2 else reversed(ways):
                found.append(_timed(way, torch.rand(entries)))
        assert not self._outbox.dropped
        assert self._outbox.sent - before == times, "some were not sent"
        return {"send_us": 1e6 * median(sent[2:]), "copy_us": 1e6 * median(copied[2:])}

    def _settle(self) -> None:
        """Wait until the memory is free: what a full one costs is not a copy."""
        while self._outbox.status()["waiting"]:
            time.sleep(0.001)

    def _idle(self, times: int) -> dict[str, Any]:
        """A call of a layer that is tracked and not due, beside one that nobody tracks."""
        bare, tracked = nn.Identity(), nn.Identity()
        number = self._handler.track_layer(0, {f"idle {time.perf_counter_ns()}": tracked})
        assert number == 0
        data = torch.zeros(1)
        tracked(data)  # the first call is due
        tracked(data)
        figures = []
        for _ in range(5):
            figures.append((_loop(tracked, data, times) - _loop(bare, data, times)) / times)
        return {"idle_us": 1e6 * median(figures)}

    def close(self) -> dict[str, Any]:
        self._handler.stop()
        return {}


def _timed(function: Callable[[torch.Tensor], Any], tensor: torch.Tensor) -> float:
    started = time.perf_counter()
    function(tensor)
    return time.perf_counter() - started


def _loop(layer: nn.Module, data: torch.Tensor, times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        layer(data)
    return time.perf_counter() - started
