"""What a GradScaler does to a step: the factor in its gradients, and whether it left the step out for overflow."""

from __future__ import annotations

from typing import Any

import torch

from flexlogger.errors import ValueRefusedError


class Scaling:
    """Follows a GradScaler (None: there is none) without waiting for a device.

    Where the optimizers are `hooked`, `stepped` tells of the steps they take. Otherwise a scale that is lower than when
    the step began tells that it was left out, as the scaler's `update` makes it so. `factored`: whether `factor` is
    asked for. Raises ValueRefusedError.
    """

    def __init__(self, scaler: Any, hooked: bool, factored: bool) -> None:
        if scaler is not None and not hasattr(scaler, "get_scale"):
            raise ValueRefusedError(f"scaler: expected a torch.amp.GradScaler, but got {type(scaler).__name__}")
        self._scaler, self._hooked = scaler, hooked
        self._followed = scaler is not None and (factored or not hooked)
        self.factor: torch.Tensor | float = 1.0
        """The scale when last looked at."""
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self._stepped = False
        self.look()

    def look(self) -> None:
        """Remember the scale, if anybody will ask: `update` changes it in place."""
        if self._followed:
            self.factor = self._now()

    def stepped(self) -> None:
        """The optimizer has stepped."""
        self._stepped = True

    @property
    def skipped(self) -> torch.Tensor | bool:
        """Whether the step was left out, as far as that is known by now."""
        if self._scaler is None:
            return False
        return not self._stepped if self._hooked else self._now() < self.factor

    def _now(self) -> torch.Tensor | float:
        """The scale; a number before the scaler is first used, or where it is disabled."""
        scale = getattr(self._scaler, "_scale", None)  # `get_scale` would wait for the device
        return float(self._scaler.get_scale()) if scale is None else scale.clone()
