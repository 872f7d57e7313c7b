"""Who draws a run: the process that owns it, while it lives; and within a process the run that was opened last."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Literal

from flexlogger import faults
from flexlogger.away import Scene
from flexlogger.config.model import Dashboard
from flexlogger.identity import Identity
from flexlogger.ownership import Ownership, Standby
from flexlogger.pipe.base import Outlet
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.records import PlotDef
from flexlogger.runs.claims import Claim
from flexlogger.runs.format import Resume
from flexlogger.runs.tail import Tail
from flexlogger.sinks.card import CardSink
from flexlogger.sinks.ranks import AcrossRanks
from flexlogger.sinks.view import View
from flexlogger.sinks.where import window_id
from flexlogger.views import Others, Target, Views

CLOSE_VIEWS_S = 2.0
CARD_S = 1.0
"""How often the card is looked at …"""
CARD_PATIENCE_S = 2.0
"""… and how soon it is tried again where the disk refuses: its heart-beat is what keeps the run ours."""

_drawings: list[Drawing] = []


class Drawing:
    """The views of one run in this process, open while the process owns the run.

    `log` is this process's own segment; None without a run log, and then there is no `ownership` to contest either.
    `announce` is called each time this process becomes the owner.
    """

    def __init__(
        self,
        identity: Identity,
        world: int,
        views: Views,
        pipe: ThreadPipe,
        log: Path | None,
        ownership: Ownership | None,
        announce: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._world = world
        self._views = views
        self._pipe = pipe
        self._log = log
        self._ownership = ownership
        self._announce = announce
        self._resume: Resume | None = None
        self._owner = False
        self._closed = False
        self._pid = os.getpid()
        self._turn = threading.RLock()
        self._tell = faults.Once()  # several views read the same files
        self._standby: Standby | None = None
        self._shared: list[Outlet] = []
        self._dashboards: list[Outlet] = []
        """Those of the shared ones that windows are drawn by."""
        self._targets: dict[Hashable, list[Target]] = {None: [t for t in views.targets if not t.shared]}
        self._private: dict[Hashable, list[View]] = {}
        self._windows: frozenset[str] = frozenset()

    @property
    def owner(self) -> bool:
        """True where this process draws the run; never in a forked child."""
        return self._owner and os.getpid() == self._pid

    @property
    def uid(self) -> str:
        """What this run's windows are told apart by."""
        return self._ownership.uid if self._ownership is not None else self._identity.uid

    # ---- becoming the owner, and ceasing to be

    def begin(self, resume: Resume | None = None) -> None:
        """Draw: the ownership is taken. An older run of this process that had it stops drawing."""
        for other in list(_drawings):
            if self._log is not None and other.owner and other._identity.folder == self._identity.folder:
                other._yield()
        with self._turn:
            self._resume = resume
            self._draw()

    def stand_by(self) -> None:
        """Let the owner draw for as long as it lives."""
        assert self._ownership is not None
        self._standby = Standby(self._ownership, self._succeed)

    def _draw(self) -> None:
        if self._ownership is not None:
            claims = self._ownership.claims
            sink = CardSink(self._identity.folder, claims, self._lost, lambda: self._pipe.stuck)
            card = View(sink, "card", tail=self._tail("first"), interval=CARD_S, patience=CARD_PATIENCE_S)
            self._shared.append(card)
            self._pipe.add_view(card)
        for target in self._views.targets:
            if target.shared:
                view = self._open(target)
                self._shared.append(view)
                self._dashboards += [view] if target.server is not None else []
        self._open_away()
        for who, targets in self._targets.items():
            if who not in self._private:
                self._private[who] = [self._open(target) for target in targets]
        self._owner = True
        _drawings.append(self)
        self._announce()

    def _succeed(self) -> None:
        """The owner is gone, and its claims are ours."""
        with self._turn:
            if self._closed:
                self._release()
                return
            self._draw()
        faults.log.warning("flexlogger: the owner of run %s is gone; this process draws it now", self._identity.id)

    def _lost(self, claim: Claim) -> None:
        """A claim went to somebody else while this process was not running (stopped, or its machine asleep). Called in
        a view's own thread."""
        with self._turn:
            if self._closed or not self.owner:
                return
            faults.log.warning(
                "flexlogger: this process was not heard of for too long, and another one draws run %s now; what it "
                "logs is drawn there",
                self._identity.id,
            )
            self._stop()
            self._pipe.stop_views(self._shared)
            self._shared, self._dashboards = [], []
            self.stand_by()

    def _yield(self) -> None:
        """Leave the run to a newer one of this process with the same folder, which draws what this one logs too."""
        with self._turn:
            self._stop()
            self._pipe.release_views(self._shared, CLOSE_VIEWS_S)
            self._shared, self._dashboards = [], []

    def _stop(self) -> None:
        self._owner = False
        self._windows = frozenset()
        self._release()
        if self in _drawings:
            _drawings.remove(self)

    def _release(self) -> None:
        if self._ownership is not None:
            self._ownership.release()

    def close(self, close_pipe: Callable[[], bool]) -> bool:
        """Close the pipe and with it all views, then give the claims back; return what `close_pipe` does."""
        if self._standby is not None:
            if os.getpid() == self._pid:
                self._standby.look()  # who ends last draws what the others no longer could
            self._standby.stop()
        with self._turn:
            self._closed = True
        complete = close_pipe()
        self._stop()
        return complete

    # ---- views

    def _open(self, target: Target) -> View:
        stage = AcrossRanks(self._world) if self._identity.ranks == "all" else None
        others = Others(self._tail(self._identity.ranks), stage)
        view = self._views.open(target, self._identity.folder, self._identity.env, self.uid, others, self._pipe.status)
        self._pipe.add_view(view)
        return view

    def _open_away(self) -> None:
        if self._ownership is None or self._log is None:
            return
        claims = [claim.path for claim in self._ownership.claims]
        scene = Scene(self._identity, self.uid, self._world, self._log, claims, self._resume)
        targets = self._views.elsewhere
        views = self._views.away.open([target.config for target in targets], scene, self._pipe.status()["views"])
        for view in views:
            self._pipe.add_view(view)
        self._shared += views
        servers = {view.name: target.server for view, target in zip(views, targets, strict=False)}
        self._dashboards += [view for view in views if not self._views.away.tcp and servers[view.name] is not None]

    def _tail(self, ranks: Literal["first", "all"]) -> Tail | None:
        folder = self._identity.folder
        if self._log is None and not folder.is_dir():
            return None
        return Tail(folder, self._log or folder / "none", ranks, resume=self._resume, tell=self._tell)

    def add(self, who: Hashable, dashboard: Dashboard) -> None:
        """Feed the sink objects that a declaration brings from code too; its other sinks are the run's own."""
        targets = [target for target in Views(dashboard).targets if target.config.from_code]
        self._targets[who] = targets
        if self.owner:
            self._private[who] = [self._open(target) for target in targets]

    def leave(self, who: Hashable) -> None:
        """Show what is left to the sinks of one of those who share the run, and let go of them."""
        self._targets.pop(who, None)
        views = self._private.pop(who, [])
        if views:
            self._pipe.release_views(views, CLOSE_VIEWS_S)

    # ---- windows

    def own(self, plots: Iterable[PlotDef]) -> None:
        """Become the one that draws these windows: an older run of this process that drew one of them (a notebook
        cell that was run again) stops drawing on the dashboard, and goes on logging."""
        if not self.owner:
            return
        env, servers = self._identity.env, self._views.servers
        ids = [window_id(self.uid, plot.opts.get("env", env), plot.name) for plot in plots]
        self._windows = frozenset(f"{server} {id}" for server in servers for id in ids)
        for other in list(_drawings):
            if other is not self and other.owner and other._windows & self._windows:
                other._leave_windows()
                faults.log.info(
                    "flexlogger: run %s draws the windows of run %s from now on", self._identity.id, other._identity.id
                )

    def _leave_windows(self) -> None:
        with self._turn:
            self._windows = frozenset()
            dashboards, self._dashboards = self._dashboards, []
            self._shared = [view for view in self._shared if view not in dashboards]
            self._pipe.release_views(dashboards, CLOSE_VIEWS_S)
            if self._ownership is not None:
                self._ownership.release_windows()
