"""Tensors kept whole from `add` to `value`, as copies on their device."""

from __future__ import annotations

import torch

from flexlogger.meters.tensors import on_device, to_device


class Kept:
    """Copies of tensors that agree in all but their first axis.

    >>> kept = Kept()
    >>> kept.add(torch.tensor([1.0])); kept.add(torch.tensor([2.0, 3.0])); kept.read()
    tensor([1., 2., 3.])
    """

    def __init__(self) -> None:
        self._parts: list[torch.Tensor] = []

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def add(self, part: torch.Tensor) -> None:
        """Keep a copy of `part`."""
        self._parts.append(part.detach().clone())

    def read(self) -> torch.Tensor:
        """All of them in one, on an accelerator if any part is on one. At least one must have been added."""
        if len(self._parts) > 1:
            home = next((part.device for part in self._parts if on_device(part)), self._parts[0].device)
            self._parts[:] = [torch.cat([to_device(part, home) for part in self._parts])]
        return self._parts[0]

    def columns(self) -> int | None:
        """Size of the second axis; None before anything was added."""
        return self._parts[0].shape[1] if self._parts else None
