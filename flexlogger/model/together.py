"""The small parameters of a model and their gradients: the same tensors step after step, copied in a few calls.

Those of one shape are copied by one `torch.cat`, which costs two thirds of a copy each, and reduced as one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import torch

from flexlogger.model.rows import Flat, Starts

SEVERAL = 4
"""Tensors of a shape that get a page of their own, …"""
LARGE = 16384
"""… or entries of them all."""


class Shelf(msgspec.Struct, frozen=True):
    """Tensors that lie one behind the other: which of all, in which page, as views of it."""

    places: list[int]
    page: torch.Tensor
    views: list[torch.Tensor]
    joined: torch.Tensor | None
    """The page as what `torch.cat` of the tensors is; None where they are copied each for itself."""


class Together:
    """A buffer of float32 for one list of tensors at a time."""

    def __init__(self) -> None:
        self._shelves: list[Shelf] = []
        self._flat = Flat([])
        self._signature: object = None
        self._filled = False

    def copy(self, tensors: Sequence[torch.Tensor], signature: object) -> None:
        """Take strided tensors of one entry or more. Shapes and types that came with this very `signature` before are
        not looked at again. Raises TypeError or NotImplementedError, as torch does, where one is missing or sparse."""
        if self._signature is not signature:
            self._arrange(tensors)
            self._signature = signature
        for shelf in self._shelves:
            taken = [tensors[place] for place in shelf.places]
            if shelf.joined is not None:
                torch.cat(taken, out=shelf.joined)
            else:
                torch._foreach_copy_(shelf.views, taken)
        self._filled = True

    def reset(self) -> None:
        """Begin anew, where nobody took what was copied."""
        self._filled = False

    def take(self) -> Flat:
        """What was copied since the last call, in order."""
        filled, self._filled = self._filled, False
        return self._flat if filled else Flat([])

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(shelf.page.nbytes for shelf in self._shelves)

    def _arrange(self, tensors: Sequence[torch.Tensor]) -> None:
        alike: dict[tuple[torch.Size, torch.dtype], list[int]] = {}
        for place, tensor in enumerate(tensors):
            alike.setdefault((tensor.shape, tensor.dtype), []).append(place)
        self._shelves, others = [], []
        for (shape, dtype), places in alike.items():
            if len(places) >= SEVERAL or len(places) * shape.numel() >= LARGE:
                self._shelves.append(_shelf(places, tensors, dtype is torch.float32 and len(shape) > 0))
            else:
                others += places
        if others:
            self._shelves.append(_shelf(others, tensors, joined=False))
        order = [place for shelf in self._shelves for place in shelf.places]
        pages = [
            (shelf.page.numpy(), np.cumsum([0, *(v.numel() for v in shelf.views[:-1])])) for shelf in self._shelves
        ]
        self._flat = Flat(pages, np.array(order))


def _shelf(places: list[int], tensors: Sequence[torch.Tensor], joined: bool) -> Shelf:
    shapes = [tensors[place].shape for place in places]
    page = torch.empty(sum(shape.numel() for shape in shapes))
    views = [
        part.view(shape) for part, shape in zip(torch.split(page, [s.numel() for s in shapes]), shapes, strict=True)
    ]
    first = shapes[0]
    return Shelf(places, page, views, page.view(len(places) * first[0], *first[1:]) if joined else None)


def _starts(shelf: Shelf) -> Starts:
    return np.cumsum([0, *(view.numel() for view in shelf.views[:-1])])
