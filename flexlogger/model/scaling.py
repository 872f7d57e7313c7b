"""What a GradScaler does to a step: the factor in its gradients, and whether it left the step out for overflow."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from flexlogger.errors import ValueRefusedError


class Scaling:
    """Follows a GradScaler (None, or one that is not enabled: there is none) without waiting for a device.

    Where there are `optimizers` to be hooked, `stepping` and `stepped` tell of the steps they take. Otherwise a scale
    that is lower than when the step began tells that it was left out, as the scaler's `update` makes it so. `factored`:
    whether `factor` is asked for. Raises ValueRefusedError.
    """

    def __init__(self, scaler: Any, optimizers: Collection[Any], factored: bool) -> None:
        if scaler is not None and not hasattr(scaler, "is_enabled"):
            raise ValueRefusedError(f"scaler: expected a torch.amp.GradScaler, but got {type(scaler).__name__}")
        self._scaler: Any = scaler if scaler is not None and scaler.is_enabled() else None
        self._hooked = frozenset(map(id, optimizers))
        self._followed = self._scaler is not None and (factored or not self._hooked)
        self.factor: torch.Tensor | float = 1.0
        """The scale when last looked at."""
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self._stepped: set[int] = set()
        self._overflow: torch.Tensor | None = None
        self._updates: int | None = None
        self.look()

    def stepping(self, optimizer: Any) -> None:
        """An optimizer is about to step; a fused one is told itself of an overflow, and leaves the step out."""
        self.look()
        found = getattr(optimizer, "found_inf", None)
        if found is not None:
            self._overflow = found if self._overflow is None else self._overflow + found

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has stepped."""
        self._stepped.add(id(optimizer))

    def mid_step(self) -> None:
        """Something is read before the step has ended."""
        if self._hooked:
            self.look()

    def anew(self) -> bool:
        """Asked before anything is collected: whether what was so far belongs to a step that was left out, since the
        scaler was updated in between and no optimizer has stepped."""
        before, self._updates = self._updates, getattr(getattr(self._scaler, "_scale", None), "_version", 0)
        return bool(self._hooked) and not self._stepped and before not in (None, self._updates)

    @property
    def skipped(self) -> torch.Tensor | bool:
        """Whether the step, or a part of it, was left out, as far as that is known by now."""
        if self._scaler is not None and not self._hooked:
            return self._now() < self.factor
        if self._scaler is not None and not self._stepped >= self._hooked:
            return True
        return False if self._overflow is None else self._overflow

    def look(self) -> None:
        """Remember the scale before any optimizer has stepped, if anybody will ask: `update` changes it in place."""
        if self._followed and not self._stepped:
            self.factor = self._now()

    def _now(self) -> torch.Tensor | float:
        """The scale; a number before the scaler is first used."""
        scale = getattr(self._scaler, "_scale", None)  # `get_scale` would wait for the device
        return float(self._scaler.get_scale()) if scale is None else scale.clone()
