"""Small tensors of the CPU: those of one shape are copied side by side and reduced together, soon enough for the
processor's cache to hold them still.

Reducing each by itself costs a microsecond a call, several calls each; keeping references instead is wrong, since an
in-place activation changes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from flexlogger.model.gathered import Mark, Marks, Part, made
from flexlogger.model.need import Need
from flexlogger.model.rows import add_sums, carefully, quiet, rows_of, settle
from flexlogger.model.statistics import COLUMNS, Rows

SMALL = 65536
"""Entries up to which a tensor is copied; larger ones are cheaper to reduce where they are."""
PIECE = 131072
"""Entries copied before they are reduced: half a megabyte, which the cache holds beside what they are copied from."""
MOST = 64
"""Shapes for which room is kept from one step to the next, if no more are used."""
Places = np.ndarray[Any, np.dtype[np.intp]]


class Shelf:
    """Room for some tensors of one shape, as float32 or (for what is wider) float64."""

    def __init__(self, shape: torch.Size, dtype: torch.dtype = torch.float32) -> None:
        self._room = max(1, PIECE // shape.numel())
        self._page = torch.empty((self._room, *shape), dtype=dtype)
        self._joined = self._page.view(self._room * shape[0], *shape[1:]) if shape else None
        self._values = self._page.numpy().reshape(self._room, -1)
        self._places: list[torch.Tensor] = []
        self.reset()

    def reset(self) -> None:
        """Forget what was added."""
        self._fill = 0
        self._marks: list[Mark] = []
        self._done: list[Rows] = []

    # ---- one by one

    def add(self, mark: Mark, tensor: torch.Tensor, need: Need) -> None:
        """Copy one tensor, whose row comes with `take`."""
        at = self._fill
        if at == self._room:
            self._done.append(rows_of(self._values, need))
            at = 0
        if at == len(self._places):
            self._places.append(self._page[at])
        self._places[at].copy_(tensor)
        self._fill = at + 1
        self._marks.append(mark)

    @property
    def used(self) -> bool:
        """Whether anything was added."""
        return bool(self._fill)

    def take(self, need: Need) -> Part:
        """The rows of all that was added, one tensor or more, since the last call."""
        rows = np.concatenate([*self._done, rows_of(self._values[: self._fill], need)])
        part = made(self._marks, rows)
        self.reset()
        return part

    # ---- all at once

    def read(self, tensors: list[torch.Tensor], joined: bool, need: Need, rows: Rows) -> None:
        """Add what one pass over tensors tells to `rows` (K, 9), for `settle`. They can be `joined` where their type is
        the shelf's."""
        for at in range(0, len(tensors), self._room):
            some = tensors[at : at + self._room]
            self._copy(some, joined)
            add_sums(self._values[: len(some)], need, rows[at : at + len(some)])

    def _copy(self, tensors: list[torch.Tensor], joined: bool) -> None:
        if joined and self._joined is not None:  # two thirds of what a copy of each costs
            torch.cat(tensors, out=self._joined[: len(tensors) * tensors[0].shape[0]])
        else:
            torch._foreach_copy_(self._page[: len(tensors)].unbind(), tensors)


class Group(msgspec.Struct, frozen=True):
    """Tensors of one shape among others: which, on what shelf, and where their rows begin."""

    places: list[int]
    shelf: Shelf
    joined: bool
    first: int

    def of(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Those of them that are in this group."""
        return [tensors[place] for place in self.places]


class Together:
    """Reads the same list of tensors step after step, a few calls a shape."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._order: list[int] = []
        self._marks = Marks.of([])
        self._signature: object = None

    def read(
        self, tensors: Sequence[torch.Tensor], keys: Sequence[list[int]], signature: object, need: Need
    ) -> tuple[Marks, Rows]:
        """The rows of strided tensors of one entry or more, and whose they are. Shapes, types and keys that came with
        this very `signature` before are not looked at again. Raises TypeError or NotImplementedError, as torch does,
        where a tensor is missing or sparse."""
        if self._signature is not signature:
            self._arrange(tensors)
            self._marks = Marks.of([Mark(place, keys[place]) for place in self._order])
            self._signature = signature
        rows = np.zeros((len(tensors), len(COLUMNS)))
        with quiet():
            for group in self._groups:
                group.shelf.read(group.of(tensors), group.joined, need, rows[group.first :])
        doubtful = settle(rows, need)
        if len(doubtful):
            self._read_carefully(tensors, doubtful, need, rows)
        return self._marks, rows

    def _read_carefully(self, tensors: Sequence[torch.Tensor], doubtful: Places, need: Need, rows: Rows) -> None:
        for group in self._groups:
            at = doubtful[(doubtful >= group.first) & (doubtful < group.first + len(group.places))]
            if len(at):
                some = [tensors[self._order[place]].double() for place in at.tolist()]
                rows[at] = carefully(torch.stack(some).view(len(at), -1).numpy(), need)

    def _arrange(self, tensors: Sequence[torch.Tensor]) -> None:
        alike: dict[tuple[torch.Size, torch.dtype], list[int]] = {}
        for place, tensor in enumerate(tensors):
            alike.setdefault((tensor.shape, tensor.dtype), []).append(place)
        shelves: dict[torch.Size, Shelf] = {}
        self._groups, self._order = [], []
        for (shape, dtype), places in alike.items():
            if shape not in shelves:
                shelves[shape] = Shelf(shape)
            self._groups.append(Group(places, shelves[shape], dtype is torch.float32, len(self._order)))
            self._order += places


class Shelves:
    """All that a collection copies into: what hooks show, by shape and width, and parameters with their gradients."""

    def __init__(self) -> None:
        self.together = Together()
        self._shelves: dict[tuple[torch.Size, bool], Shelf] = {}

    def add(self, mark: Mark, tensor: torch.Tensor, wide: bool, need: Need) -> None:
        """Copy one strided tensor of 1 to SMALL entries; in double precision if `wide`."""
        shelf = self._shelves.get((tensor.shape, wide))
        if shelf is None:
            shelf = self._shelves[tensor.shape, wide] = Shelf(tensor.shape, torch.float64 if wide else torch.float32)
        shelf.add(mark, tensor, need)

    def take(self, need: Need) -> list[Part]:
        """The rows of all that was added."""
        if len(self._shelves) > MOST:  # inputs of ever new lengths
            self._shelves = {kind: shelf for kind, shelf in self._shelves.items() if shelf.used}
        return [shelf.take(need) for shelf in self._shelves.values() if shelf.used]

    def reset(self) -> None:
        """Forget what was added."""
        for shelf in self._shelves.values():
            shelf.reset()
