"""Small tensors of the CPU: copied into one buffer now, reduced together later.

The copy is what the training thread pays.
"""

from __future__ import annotations

import numpy as np
import torch

from flexlogger.model.rows import Flat, Starts
from flexlogger.model.together import Together

_STRIDED = torch.strided
SMALL = 65536
"""Entries up to which a tensor is copied; larger ones are cheaper to reduce where they are."""
PAGE = 2**18


class Arena:
    """A buffer that takes the same sequence of tensors again and again, of float32 or (for what is wider) float64.

    `add` copies; `take` gives what was copied since the last `take`, and is to be read before the next
    `add`. The places of a sequence are kept, so that repeating it is one copy a tensor.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self._pages: list[torch.Tensor] = []
        self._views: list[torch.Tensor] = []
        self._places: list[tuple[int, int, int]] = []  # page, first entry, entries
        self._alike: list[tuple[torch.Size, torch.dtype]] = []
        self._count = 0
        self._starts: tuple[int, list[tuple[int, int, Starts]]] | None = None  # as `take` last found them

    def add(self, tensor: torch.Tensor) -> None:
        """Copy one tensor of 1 to SMALL entries."""
        at = self._count
        if at == len(self._views) or self._views[at].shape != tensor.shape:
            self._place(at, tensor)
        self._views[at].copy_(tensor)
        self._count += 1

    def again(self, tensor: torch.Tensor) -> bool:
        """Copy a tensor if it is like the one that came at this place before; False if it is not."""
        at = self._count
        if at >= len(self._alike):
            return False
        shape, dtype = self._alike[at]
        if tensor.dtype is not dtype or tensor.shape != shape or not tensor.is_cpu or tensor.layout is not _STRIDED:
            return False
        self._views[at].copy_(tensor.detach())
        self._count = at + 1
        return True

    def _place(self, at: int, tensor: torch.Tensor) -> None:
        """Find room for entry `at` behind the one before it; what came later is placed anew."""
        del self._views[at:], self._places[at:], self._alike[at:]
        self._starts = None
        page, end = (self._places[-1][0], self._places[-1][1] + self._places[-1][2]) if at else (0, 0)
        if end + tensor.numel() > PAGE:
            page, end = page + 1, 0
        if page == len(self._pages):
            self._pages.append(torch.empty(PAGE, dtype=self._dtype))
        self._views.append(self._pages[page][end : end + tensor.numel()].view(tensor.shape))
        self._places.append((page, end, tensor.numel()))
        self._alike.append((tensor.shape, tensor.dtype))

    def reset(self) -> None:
        """Begin anew, where nobody took what was copied."""
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return len(self._pages) * PAGE * self._dtype.itemsize

    def take(self) -> Flat:
        """What was copied since the last call, in order."""
        count, self._count = self._count, 0
        if self._starts is None or self._starts[0] != count:
            pages: dict[int, list[int]] = {}
            ends: dict[int, int] = {}
            for page, first, size in self._places[:count]:
                pages.setdefault(page, []).append(first)
                ends[page] = first + size
            self._starts = count, [(page, ends[page], np.array(starts)) for page, starts in pages.items()]
        return Flat([(self._pages[page].numpy()[:end], starts) for page, end, starts in self._starts[1]])


class Buffers:
    """What small tensors are copied into: those of hooks, those of wider types, and parameters with their gradients."""

    def __init__(self) -> None:
        self.narrow, self.wide, self.parameters = Arena(), Arena(torch.float64), Together()

    def reset(self) -> None:
        """Begin anew."""
        for buffer in (self.narrow, self.wide, self.parameters):
            buffer.reset()

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.narrow.nbytes + self.wide.nbytes + self.parameters.nbytes


class Lease:
    """The buffers of one step; they go back to the pool when nobody holds this any more."""

    def __init__(self, pool: list[Buffers]) -> None:
        self._pool = pool
        self.buffers = pool.pop() if pool else Buffers()

    def __del__(self) -> None:
        self.buffers.reset()
        self._pool.append(self.buffers)
