"""Runs that come in from elsewhere, each drawn for as long as it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from flexlogger import faults
from flexlogger.ownership import candidates
from flexlogger.replay.beside import remember, remembered
from flexlogger.replay.reel import AsItIs, Reel, Screen
from flexlogger.replay.source import header_of, own_segment
from flexlogger.replay.where import Windows, repair
from flexlogger.runs.claims import STALE_S, Claim, windows_claim
from flexlogger.runs.format import Header
from flexlogger.sinks.base import Sink
from flexlogger.sinks.terminal import TerminalSink
from flexlogger.sinks.view import View, nobody_waits
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.wire import Address

KINDS = ("visdom", "terminal")
QUIET_S = 10.0
"""A run that has ended is let go of once nothing came for so long …"""
SILENT_S = 60.0
"""… and any run: its trainer is dead, or the network; what comes later opens it again."""
LOOK_S = 1.0


class Followed:
    """One run that is drawn: in windows of its own, where another live run has those that it asks for."""

    def __init__(self, folder: Path, wall: Following, kinds: Sequence[str], now: float) -> None:
        self.folder = folder
        self.label = f"{folder.parent.name}/{folder.name}"
        self.heard = now
        self.windows: Windows | None = None
        self.claim: Claim | None = None
        self.header: Header | None = None
        """That of its trainer's segment, once known."""
        self._wall = wall
        self._reels: list[Reel] = []
        self.views = [self._view(kind) for kind in kinds]

    def _view(self, kind: str) -> View:
        screen = Screen(lambda: self._sink(kind))
        reel = Reel(self.folder, screen.rewind)
        self._reels.append(reel)
        hint = repair(self._wall.server) if kind == "visdom" else ""
        return View(screen, kind, tail=reel, stage=AsItIs(), repair=hint, computed=nobody_waits)

    def _sink(self, kind: str) -> Sink:
        if kind == "terminal":
            return TerminalSink()
        windows = self._wall.windows_of(self)
        return VisdomSink(HttpSender(windows.server, self._wall.token), windows.env, windows.uid)

    @property
    def ended(self) -> bool:
        """True where nothing is to come unless the run is taken up again."""
        return all(reel.ended for reel in self._reels)

    def beat(self) -> None:
        """Say that the windows are ours; leave them where somebody took them while we were not heard of."""
        if self.claim is None or not self.claim.held:
            return
        with suppress(OSError):  # told of where the run itself cannot be kept
            if not self.claim.beat(time.time()):
                self.leave()

    def leave(self) -> None:
        """Draw no more: somebody else has the windows now. Never waits."""
        for view in self.views:
            view.stop()
        self.views = []
        self.release()

    def release(self) -> None:
        """Give the windows back."""
        if self.claim is not None:
            self.claim.release()


def _succeeds(newer: Header | None, older: Header | None) -> bool:
    """True for two runs of one process, as those of a notebook's cell that was run again."""
    if newer is None or older is None:
        return False
    return (newer.host, newer.pid) == (older.host, older.pid) and newer.start > older.start


class Following:
    """Draws every run it is told of, on the dashboard at `server`; what `flexlogger monitor` shows.

    `kinds` are the views that each run gets. `base` is where the runs lie. `tell` is told what is worth a line. Several
    threads may call it.
    """

    def __init__(
        self,
        base: Path,
        kinds: Sequence[str],
        server: Address,
        token: str | None,
        tell: Callable[[str], object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server = server
        self.token = token
        self._base = base
        self._kinds = tuple(kinds)
        self._tell = tell
        self._clock = clock
        self._runs: dict[Path, Followed] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="flexlogger-following", daemon=True)
        self._thread.start()

    # ---- an audience

    def follow(self, folder: Path) -> None:
        """Something came for the run in `folder`, or its trainer said that it still lives."""
        with self._lock:
            run = self._runs.get(folder)
            if run is None and not self._over.is_set():
                run = self._runs[folder] = Followed(folder, self, self._kinds, self._clock())
            if run is not None:
                run.heard = self._clock()

    def ask(self, folder: Path) -> Callable[[], bool]:
        """Ask for all of a run to be shown now; what is returned tells whether it is, or that nothing of it will be."""
        with self._lock:
            run = self._runs.get(folder)
        if run is None:
            return lambda: True
        events = [view.ask() for view in run.views]
        return lambda: not run.views or all(event.is_set() for event in events)

    def problem(self, folder: Path) -> str:
        """Why a run cannot be shown; empty where it can."""
        run = self._runs.get(folder)
        return next((error for view in run.views if (error := view.status()["error"])), "") if run is not None else ""

    def url(self, folder: Path) -> str:
        """Where a run is shown; empty where nowhere, or not yet."""
        run = self._runs.get(folder)
        return run.windows.url if run is not None and run.windows is not None else ""

    # ---- windows

    def windows_of(self, run: Followed) -> Windows:
        """Choose where a run is drawn: where its trainer wanted it, or beside that where another live run is drawn.

        A run whose process has opened a newer one there is not drawn any more, whichever of the two is heard of first.
        """
        header = header_of(own_segment(run.folder))
        env = header.env if header is not None and header.env else run.folder.name
        wanted = header.uid if header is not None and header.uid else env
        with self._lock:
            run.release()
            run.header = header
            if any(_succeeds(other.header, header) for other in self._in_windows(run, env, wanted)):
                run.leave()
                return Windows(self.server, env, wanted)
            uid = self._claimed(run, env, wanted)
            known, run.windows = run.windows, Windows(self.server, env, uid)
        if known != run.windows:
            beside = "" if uid == wanted else f" (as {uid!r}: another live run draws the windows of {wanted!r})"
            self._tell(f"{run.label}: {run.windows.url}{beside}")
        return run.windows

    def _claimed(self, run: Followed, env: str, wanted: str) -> str:
        before = remembered(run.folder, env, wanted)
        for uid in candidates(wanted, before):
            self._make_way(run, env, uid)
            claim = Claim(windows_claim(self._base, str(self.server), env, uid), run.folder.name)
            if claim.take(time.time()):
                run.claim = claim
                break
        if uid not in (wanted, before):
            remember(run.folder, env, wanted, uid)
        return uid

    def _in_windows(self, run: Followed, env: str, uid: str) -> list[Followed]:
        """The other runs that are drawn there, or were until a newer one of their process came."""
        wanted = Windows(self.server, env, uid)
        return [other for other in self._runs.values() if other is not run and other.windows == wanted]

    def _make_way(self, run: Followed, env: str, uid: str) -> None:
        """A run that has ended or fallen silent leaves its windows, and an older one of the same process for good."""
        for other in self._in_windows(run, env, uid):
            if _succeeds(run.header, other.header):
                other.leave()
            elif other.ended or self._clock() - other.heard > STALE_S:
                other.leave()
                del self._runs[other.folder]

    # ---- from time to time

    def _look_after(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self._look()
            except Exception as error:
                faults.swallow("looking after runs from elsewhere", error)

    def _look(self) -> None:
        now = self._clock()
        with self._lock:
            for run in list(self._runs.values()):
                run.beat()
                quiet = now - run.heard
                if quiet > SILENT_S or (quiet > QUIET_S and run.ended):
                    del self._runs[run.folder]
                    self._tell(f"{run.label}: {'it has ended' if run.ended else 'nothing is heard of it any more'}")
                    run.leave()

    def close(self, timeout: float) -> bool:
        """Show what is left, for at most `timeout` seconds in all, and end; False where not all was shown."""
        self._over.set()
        self._thread.join()
        with self._lock:
            runs = list(self._runs.values())
        views = [view for run in runs for view in run.views]  # one that has left has none
        for view in views:
            view.ask()
        deadline = time.monotonic() + timeout
        shown = [view.close(max(0.0, deadline - time.monotonic())) for view in views]
        for run in runs:
            run.release()
        return all(shown)
