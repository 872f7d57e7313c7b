"""An open run: one folder, one pipe, one dashboard, shared by everyone in this process who logs into it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from flexlogger import faults
from flexlogger.config.hyper import plain_data
from flexlogger.config.model import Dashboard
from flexlogger.declared import Declarations
from flexlogger.drawing import Drawing
from flexlogger.endings import ending_at_exit, watch_exit
from flexlogger.errors import ConfigError, Place, Problem
from flexlogger.farewell import tell
from flexlogger.identity import Identity, Resume, check_resume, check_writable, identify
from flexlogger.ownership import Ownership
from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.ranks import Rank, this_rank
from flexlogger.readback import Readback
from flexlogger.records import Event, Layout, MeterDef, PlotDef, Step
from flexlogger.runs.card import read_card
from flexlogger.runs.format import Resume as Resumed
from flexlogger.runs.segment import SegmentWriter
from flexlogger.views import Views

CLOSE_S = 5.0
INTERRUPTED_S = 1.0
"""What is left of that after another Ctrl-C."""
_PLAIN = Layout()


class Run:
    """An open run. It ends when the last of those who joined it leaves, at `close`, or at the interpreter's exit.

    `id` names the folder, `name` is for people. `rank` of `world` is which process of one training this is. `owner`
    says whether this process draws the run. `config` are the hyper-parameters recorded so far. `started` is in unix
    seconds. `ending` is what the log's last line will say.
    """

    def __init__(
        self, identity: Identity, where: Rank, views: Views, feed: Feed, ownership: Ownership | None = None
    ) -> None:
        self.id = identity.id
        self.name = identity.name
        self.project = identity.project
        self.folder = identity.folder
        self.env = identity.env
        self.identity = identity
        self.rank, self.world = where
        self.url = views.url(identity.env)
        self.readback = Readback()
        self.pipe = ThreadPipe(feed, source=self.readback)
        self.config: dict[str, Any] = {}
        self.started = time.time()
        self.ending = "finished"
        self.closed = False
        log = feed.writer.path if feed.writer is not None else None
        self.drawing = Drawing(identity, where.world, views, self.pipe, log, ownership, self._announce)
        self._declarations = Declarations()
        self._members: set[Hashable] = set()
        self._pid = os.getpid()

    @property
    def owner(self) -> bool:
        """True where this process draws the run, and keeps its card."""
        return self.drawing.owner

    @property
    def uid(self) -> str:
        """What the run's windows are told apart by from others in the same environment."""
        return self.drawing.uid

    def _announce(self) -> None:
        """Say first of all what the run is."""
        info = self.identity.as_info() | {"uid": self.uid, "url": self.url, "config": self.config}
        self.event("run", info | {"rank": self.rank, "world": self.world})

    # ---- who shares it

    def join(self, who: Hashable) -> None:
        """Share the run: it stays open until `who` leaves."""
        self._members.add(who)

    def take_in(self, who: Hashable, dashboard: Dashboard) -> None:
        """Take what a declaration that joins says of more than plots and meters: its config, and the sink objects that
        it brings from code. Its other sinks and its environment are the run's."""
        if dashboard.env not in (None, self.env):
            faults.log.warning(
                "flexlogger: this logger shares run %s, which is drawn in environment %r; its own %r is left out",
                self.id,
                self.env,
                dashboard.env,
            )
        self.drawing.add(who, dashboard)
        self.configure(dashboard.config)

    def leave(self, who: Hashable, timeout: float = CLOSE_S) -> None:
        """Stop sharing, and wait `timeout` seconds for the log; the last one closes the run and waits for views too."""
        self._members.discard(who)
        self._declarations.leave(who)
        if not self._members:
            self.close(timeout)
        elif not self.closed:
            self.pipe.flush(timeout)
            self.drawing.leave(who)

    def clashes(self, who: Hashable, plots: Iterable[PlotDef], meters: Iterable[str]) -> dict[str, str]:
        """What of a declaration (plots, names of meters) others of this run hold already: {key path: message}."""
        return self._declarations.clashes(who, plots, meters)

    def define(
        self, who: Hashable, plots: Sequence[PlotDef], meters: Sequence[MeterDef], layout: Layout = _PLAIN
    ) -> None:
        """Declare what `who` logs, in place of what it declared before. Raises ConfigError where others hold a name."""
        names = [meter.name for meter in meters]
        problems = [Problem(Place(f"<run {self.id}>"), *clash) for clash in self.clashes(who, plots, names).items()]
        if problems:
            raise ConfigError(problems)
        self._declarations.put(who, plots, meters, layout)
        definition = self._declarations.merged(time.time())
        self.drawing.own(definition.plots)
        self.pipe.define(definition)

    # ---- what happens to it

    def event(self, kind: str, info: Mapping[str, Any], step: Step | None = None) -> None:
        """Record something that is no measurement."""
        self.pipe.submit(Event(time.time(), kind, dict(info), step))

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Record hyper-parameters, over those of the same names."""
        changes = plain_data(changes)
        if changes:
            self.config.update(changes)
            self.event("config", {"set": changes})

    def describe(self, name: str | None = None, tags: Sequence[str] | None = None, notes: str | None = None) -> None:
        """Call the run something else, give it other tags or notes; None leaves what is."""
        given = {"name": name, "tags": None if tags is None else tuple(dict.fromkeys(tags)), "notes": notes}
        changed = {key: value for key, value in given.items() if value not in (None, getattr(self.identity, key))}
        if changed:
            self.identity = msgspec.structs.replace(self.identity, **changed)
            self.name = self.identity.name
            self.event("about", msgspec.to_builtins(changed))

    def status(self) -> dict[str, Any]:
        """Health in plain data: counts of the pipe, and the state of each view."""
        return {"run": self.id, "url": self.url, "owner": self.owner, **self.pipe.status()}

    def flush(self, timeout: float = 10.0, views: bool = True) -> bool:
        """Wait until all that was logged is on disk, with `views` also on the dashboards; False where time ran out."""
        return self.pipe.flush(timeout, views)

    # ---- the end

    def close(self, timeout: float = CLOSE_S) -> None:
        """Close the pipe; tell what did not get through. The garbage collector may call this in one of the pipe's own
        threads, which cannot wait for itself: another thread does."""
        if self.pipe.runs_in(threading.current_thread()):
            threading.Thread(target=self._close, args=(timeout,), name="flexlogger-close").start()
        else:
            self._close(timeout)

    def _close(self, timeout: float) -> None:
        if self.closed:
            return
        try:
            self._end(timeout)
        except KeyboardInterrupt:  # the waiting is cut short; that the run has ended is noted all the same
            self._end(INTERRUPTED_S)
            raise

    def _end(self, timeout: float) -> None:
        self.closed = True
        _forget(self)
        ending = self.ending if os.getpid() == self._pid else "forked"
        complete = self.drawing.close(lambda: self.pipe.close(timeout, ending))
        tell(self.pipe.status(), complete, self.folder)


# ---- the runs of this process

_open: list[Run] = []
_current: Run | None = None


def current() -> Run | None:
    """The run that this process has made its current one, where it is still open."""
    return _current


def open_runs() -> list[Run]:
    """The runs that are open in this process, oldest first."""
    return list(_open)


def make_current(run: Run | None) -> None:
    """Let loggers that name no run of their own join `run` from now on; None: let them open their own."""
    global _current
    _current = run


def run_to_join(dashboard: Dashboard) -> Run | None:
    """The current run, where a declaration asks for no other one."""
    asks = dashboard.project or dashboard.dir or not dashboard.runlog
    return None if _current is None or asks or dashboard.run not in (None, _current.id) else _current


def _forget(run: Run) -> None:
    if run in _open:
        _open.remove(run)
    if run is _current:
        make_current(None)


@atexit.register
def _close_all() -> None:
    if ending_at_exit() == "crashed":
        _fail_all()
    runs = list(_open)
    while runs:
        with suppress(KeyboardInterrupt):  # it has ended the waiting for this one
            runs[0].close()
            del runs[0]


def _fail_all() -> None:
    """The script fails: so do its runs, whoever closes them on the way out."""
    for run in _open:
        run.ending = "crashed"


def _close_all_in_a_worker() -> None:
    """Forked children of multiprocessing skip atexit; their own finalizers run instead."""
    module = sys.modules.get("multiprocessing")
    if module is not None and module.parent_process() is not None:
        sys.modules["multiprocessing.util"].Finalize(None, _close_all, exitpriority=10)


# ---- opening


def open_run(
    dashboard: Dashboard,
    viz: Any = None,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    config: Mapping[str, Any] | None = None,
    resume: Resume | None = None,
) -> Run:
    """Open the run of a dashboard: its folder, its views, its pipe. What is given here adds to what the dashboard says.

    An id that exists already is continued; with `resume="never"` it is refused, and with "must" one that does not.

    Raises RunLogError where the log cannot be kept or the run is not what `resume` asks for, ValueRefusedError for
    settings that cannot be.
    """
    where = this_rank()
    identity = identify(dashboard, where, name, tags, notes)
    check_resume(identity, resume)
    if dashboard.runlog:
        check_writable(identity.folder)
    views = Views(dashboard, viz)
    ownership = None
    if dashboard.runlog:
        ownership = Ownership(identity.folder, identity.id, views.servers, identity.env, identity.uid)
    owns = where.rank == 0 and (ownership is None or ownership.take())
    resumed = _resumed(identity, owns, where.rank)
    header = _header(identity, ownership, resumed)
    writer = partial(SegmentWriter, identity.folder, identity.id, rank=where.rank, fsync=dashboard.fsync, **header)
    feed = Feed(writer if dashboard.runlog else None)
    run = Run(identity, where, views, feed, ownership)
    _open.append(run)
    _close_all_in_a_worker()
    watch_exit(_fail_all)
    given = {**dashboard.config, **plain_data(config or {})}
    if owns:
        before = read_card(identity.folder)
        run.config = {**(before.config if before is not None else {}), **given}
        run.drawing.begin(resumed)
    else:
        run.configure(given)
        if where.rank == 0:
            run.drawing.stand_by()
    return run


def _header(identity: Identity, ownership: Ownership | None, resume: Resumed | None) -> dict[str, Any]:
    uid = ownership.uid if ownership is not None else identity.uid
    return {"project": identity.project, "env": identity.env, "uid": uid, "resume": resume}


def _resumed(identity: Identity, owns: bool, rank: int) -> Resumed | None:
    """Where the run is taken up again; not beside an owner that lives, whose points are no older ones."""
    if identity.resume_step is None or owns:
        return Resumed(identity.resume_step, time.time()) if identity.resume_step is not None else None
    if rank == 0:
        faults.log.warning(
            "flexlogger: run %s is being written by another process; resume_step is left out, no point is hidden",
            identity.id,
        )
    return None
