"""What is asked of a tensor."""

from __future__ import annotations

import msgspec


class Need(msgspec.Struct, frozen=True):
    """What a row is asked for beside n and mean. On the CPU `bad` costs nothing, so it is always there."""

    spread: bool = False
    square: bool = False
    extremes: bool = False
    abs: bool = False
    zeros: bool = False
    bad: bool = False

    def __or__(self, other: Need) -> Need:
        """What either asks for."""
        return Need(
            *(a or b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True))
        )
