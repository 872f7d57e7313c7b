"""Finding where NaN or infinity first came up."""

from __future__ import annotations

import msgspec

from flexlogger.model.snapshot import Snapshot


class FirstBad(msgspec.Struct, frozen=True):
    """The first layer, source and step that were not finite. `before` is the last collected step in which all was."""

    layer: str
    source: str
    step: int
    before: int | None
    others: int

    def __str__(self) -> str:
        since = "the first step collected" if self.before is None else f"all was finite in step {self.before}"
        more = f", then {self.others} more" if self.others else ""
        return f"first {self.source} of layer {self.layer!r} in step {self.step} ({since}){more}"


class Watch:
    """Is shown every snapshot in order, and keeps what the first bad one tells."""

    def __init__(self) -> None:
        self.found: FirstBad | None = None
        self._before: int | None = None
        self._seen = -1

    def look(self, snapshot: Snapshot) -> FirstBad | None:
        """What went wrong first, where this is the snapshot in which it did. Waits for a device."""
        if self.found is not None or snapshot.step <= self._seen:
            return None
        self._seen = snapshot.step
        bad = snapshot.nonfinite
        if not bad:
            self._before = snapshot.step
            return None
        layer, source = bad[0]
        self.found = FirstBad(layer, source, snapshot.step, self._before, len(bad) - 1)
        return self.found
