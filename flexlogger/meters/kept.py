"""Tensors kept whole from `add` to `value`, as copies on their device."""

from __future__ import annotations

import torch

from flexlogger.meters.tensors import on_device, to_device

JOIN_AT = 512
"""This many small parts become one, so that adding single entries stays cheap in time and memory."""


class Kept:
    """Copies of tensors that agree in all but their first axis.

    >>> kept = Kept()
    >>> kept.add(torch.tensor([1.0])); kept.add(torch.tensor([2.0, 3.0])); kept.read()
    tensor([1., 2., 3.])
    """

    def __init__(self) -> None:
        self._parts: list[torch.Tensor] = []  # the later ones are new and small, those before are joined
        self._joined = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, part: torch.Tensor) -> None:
        """Keep a copy of `part`."""
        self._parts.append(part.detach().clone())
        self._length += len(part)
        if len(self._parts) - self._joined >= JOIN_AT:
            self._parts[self._joined :] = [_joined(self._parts[self._joined :])]
            self._joined += 1

    def read(self) -> torch.Tensor:
        """All of them in one, on an accelerator if any part is on one. At least one must have been added."""
        if len(self._parts) > 1:
            self._parts[:] = [_joined(self._parts)]
            self._joined = 1
        return self._parts[0]

    def columns(self) -> int | None:
        """Size of the second axis; None before anything was added."""
        return self._parts[0].shape[1] if self._parts else None


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    home = next((part.device for part in parts if on_device(part)), parts[0].device)
    return torch.cat([to_device(part, home) for part in parts])
