"""The view that keeps `run.json`; that it is written again and again is the run's heart-beat."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.errors import SinkError
from flexlogger.records import Item
from flexlogger.runs.card import FILE, write_card
from flexlogger.runs.claims import STALE_S, Claim
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.surroundings import libraries, surroundings

BEAT_S = 2.0


class CardSink:
    """Keeps `run.json` in `folder`, and the heart of `claims` beating; both at least every two seconds while it is
    flushed that often.

    A claim that turns out to be lost is told to `lost`, and from then on the card is somebody else's. Surroundings are
    collected at the first flush. An `End` that comes in is the run's end; without one the card goes on saying
    `running`, and its heart-beat stops.

    A disk that refuses the card is no news while it refuses the log (`log_refused`), which is told already, nor until
    the heart-beat is so old that others take the run for dead.
    """

    def __init__(
        self,
        folder: Path,
        claims: Sequence[Claim] = (),
        lost: Callable[[Claim], None] = lambda claim: None,
        log_refused: Callable[[], bool] = lambda: False,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._claims = list(claims)
        self._lost = lost
        self._log_refused = log_refused
        self._clock = clock
        self._ledger = Ledger()
        self._around: dict[str, Any] = {}
        self._changed = True
        self._beat = 0.0  # when the card was last written …
        self._kept = 0.0  # … and the claims
        self._succeeded = False
        self._refused_since: float | None = None

    @property
    def nonfinite(self) -> dict[str, dict[str, Any]]:
        """The first value of each name that was not finite, in the whole run."""
        return self._ledger.nonfinite

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order."""
        self._ledger.write(batch)
        self._changed = self._changed or bool(batch)
        if self._clock() - self._kept >= BEAT_S:  # a long history takes longer than a heart may stand still
            with suppress(OSError):
                self._keep_claims(self._clock())

    def flush(self) -> None:
        """Beat, and write the card where something has changed. Raises SinkError where the disk goes on refusing."""
        now = self._clock()
        if not self._changed and (self._ledger.end is not None or now - self._beat < BEAT_S):
            return
        if not self._folder.is_dir():
            return  # nothing was logged yet, or it was deleted: the log makes it, not its card
        try:
            self._keep_claims(now)
            if not self._succeeded:
                self._write(now)
        except OSError as error:
            self._refused(error, now)
            return
        self._changed, self._beat, self._refused_since = False, now, None

    def _refused(self, error: OSError, now: float) -> None:
        self._changed = True
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since > STALE_S and not self._log_refused():
            raise SinkError(f"cannot write {self._folder / FILE} ({error.strerror or error})") from error

    def _keep_claims(self, now: float) -> None:
        self._kept = now
        for claim in list(self._claims):
            if claim.held:
                claim.beat(now)
            if claim.lost:
                self._succeeded = True
                self._claims.remove(claim)
                self._lost(claim)

    def _write(self, now: float) -> None:
        self._around = self._around or surroundings()
        card = msgspec.structs.replace(self._ledger.card(), **self._around)
        card.id = card.id or self._folder.name
        card.beat = now
        end = self._ledger.end
        if end is not None:
            card.status, card.end, card.libraries = end.status, end.time, libraries()
        write_card(self._folder, card)

    def close(self) -> None:
        """Nothing is held open."""
