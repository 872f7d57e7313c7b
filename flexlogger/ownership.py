"""Which process draws a run, and in which windows: claims with a heart-beat, shared by the runs of one process."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from flexlogger import faults
from flexlogger.runs.card import read_card
from flexlogger.runs.claims import Claim, windows_claim

OWNER = "owner.json"
LOOK_S = 2.0
"""How often a process that does not own its run looks whether the owner still lives."""


class Ownership:
    """One run's claims: on the run itself, and on the windows of (server, env, uid).

    `folder` is the run's. `uid` is what the windows are told apart by: where another live run has those of the wanted
    one, it is uid-2, uid-3 …; a run that is taken up again keeps the one it was drawn under.
    """

    def __init__(self, folder: Path, run: str, servers: Sequence[str], env: str, uid: str) -> None:
        self.uid = uid
        self.claims: list[Claim] = []
        self._folder = folder
        self._run = run
        self._servers = servers
        self._env = env
        self._wanted = uid

    def take(self) -> bool:
        """Claim the run and its windows; False where another process has the run, and lives.

        A disk that refuses is told: the run is drawn all the same.
        """
        try:
            claim = _hold(self._folder / OWNER, self._run, self)
            if claim is None:
                return False
            self.claims = [claim]
            self._take_windows()
        except OSError as error:
            faults.log.warning(
                "flexlogger: run %s cannot be claimed (%s); another process that draws it will not know of this one",
                self._run,
                error.strerror or error,
            )
        return True

    def _take_windows(self) -> None:
        before = self._drawn_before()
        for uid in candidates(self._wanted, before):
            claims = [_hold(self._path(server, uid), self._run, self) for server in self._servers]
            held = [claim for claim in claims if claim is not None]
            if len(held) == len(claims):
                break
            for claim in held:
                _drop(claim, self)
        self.uid = uid
        self.claims += held
        if uid not in (self._wanted, before):
            faults.log.warning(
                "flexlogger: another live run draws the windows of uid %r in environment %r; run %s has its own as %r",
                self._wanted,
                self._env,
                self._run,
                uid,
            )

    def _path(self, server: str, uid: str) -> Path:
        return windows_claim(self._folder.parent.parent, server, self._env, uid)

    def _drawn_before(self) -> str | None:
        card = read_card(self._folder)
        again = card is not None and card.env == self._env and re.fullmatch(rf"{re.escape(self._wanted)}-\d+", card.uid)
        return card.uid if card is not None and again else None

    def release_windows(self) -> None:
        """Leave the windows to others; the run stays claimed."""
        self._release(self.claims[1:])

    def release(self) -> None:
        """Give everything back."""
        self._release(self.claims)

    def _release(self, claims: Sequence[Claim]) -> None:
        self.claims = [claim for claim in self.claims if claim not in claims]
        for claim in claims:
            _drop(claim, self)


def candidates(uid: str, before: str | None) -> Iterator[str]:
    """What a run that asks for `uid` may be drawn as, best first; `before` is what it was drawn as beside that."""
    if before is not None:
        yield before
    yield uid
    yield from (f"{uid}-{number}" for number in count(2))


class Standby:
    """Looks, in a thread of its own, whether a run's owner still lives; calls `promote` once it has been succeeded."""

    def __init__(self, ownership: Ownership, promote: Callable[[], None]) -> None:
        self._ownership = ownership
        self._promote = promote
        self._turn = threading.Lock()
        self._succeeded = False
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="flexlogger-standby", daemon=True).start()

    def stop(self) -> None:
        """Look no more. Never waits."""
        self._stopped.set()

    def look(self) -> None:
        """Look now."""
        try:
            with self._turn:
                if not self._succeeded and self._ownership.take():
                    self._succeeded = True
                    self._promote()
        except Exception as error:
            faults.swallow("taking over a run", error)

    def _run(self) -> None:
        while not (self._succeeded or self._stopped.wait(LOOK_S)):
            self.look()


# ---- the claims of this process


class _Held(NamedTuple):
    claim: Claim
    users: set[Ownership]


_held: dict[Path, _Held] = {}
_lock = threading.Lock()


def _hold(path: Path, run: str, user: Ownership) -> Claim | None:
    """Take a claim, or share it where a run of this process has it; None where another process does, and lives."""
    with _lock:
        held = _held.get(path)
        if held is None or not held.claim.held:
            claim = Claim(path, run)
            if not claim.take(time.time()):
                return None
            held = _held[path] = _Held(claim, set())
        held.users.add(user)
        return held.claim


def _drop(claim: Claim, user: Ownership) -> None:
    """Stop using a claim; the last one in this process releases it."""
    with _lock:
        held = _held.get(claim.path)
        if held is None or held.claim is not claim:
            return
        held.users.discard(user)
        if not held.users:
            claim.release()
            del _held[claim.path]


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
