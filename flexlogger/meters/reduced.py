"""One meter over all ranks of a training: each rank gathers its own samples, `collect` brings them together."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import torch

from flexlogger.meters.base import BaseMeter


@runtime_checkable
class Reducible(Protocol):
    """What a meter has that can be reduced over ranks."""

    additive: ClassVar[bool]
    """True where the states of two meters simply add up."""
    outputs: Any

    def state(self) -> torch.Tensor:
        """(S,) float64 on the CPU: all that was gathered since the last reset. The last entry is 0 where that is
        nothing, and the rest then too. Waits for a device."""

    def collect_over(self, states: torch.Tensor) -> dict[str, Any]:
        """What `collect` gives of what several meters gathered together, from their (R, S) states, at least one of
        which is not empty."""


class Exchange(Protocol):
    """How the ranks meet (`flexlogger.meeting.Meeting`)."""

    rank: int

    def rows(self, name: str, state: torch.Tensor, additive: bool) -> torch.Tensor:
        """The (S,) states of all ranks: (R, S), or (1, S) with their sum where they are `additive`. Every rank has to
        come; raises RanksError, which names those that do not."""


class Reduced(BaseMeter):
    """A meter whose `collect` is of what all ranks have added. All ranks take part in it, also those that added
    nothing; rank 0 has the outputs, the others have none to log. `value` stays that of the own rank."""

    def __init__(self, name: str, meter: BaseMeter, exchange: Exchange) -> None:
        assert isinstance(meter, Reducible)
        self.outputs = meter.outputs
        self.inner = meter
        self.add = meter.add  # type: ignore[method-assign]  # the hot path goes straight through
        self._name = name
        self._exchange = exchange

    @property
    def empty(self) -> bool:
        """Never: a rank that added nothing is waited for all the same."""
        return False

    def value(self) -> Any:
        """The value over this rank's own samples."""
        return self.inner.value()

    def reset(self) -> None:
        """Forget what this rank has gathered."""
        self.inner.reset()

    def collect(self) -> dict[str, Any]:
        """The outputs over all ranks, on rank 0, unless nobody added anything. Waits for the other ranks."""
        meter = self.inner
        assert isinstance(meter, Reducible)
        states = self._exchange.rows(self._name, meter.state(), meter.additive)
        if self._exchange.rank != 0 or not states[:, -1].any():
            return {}
        return meter.collect_over(states)
