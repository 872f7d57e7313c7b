"""A run drawn again from its log: at once, or for as long as it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from os import PathLike

import msgspec

from flexlogger import faults
from flexlogger.errors import RunLogError, ValueRefusedError, unknown
from flexlogger.replay.source import Source
from flexlogger.replay.where import Windows, reached, repair, windows_for
from flexlogger.runs.card import Status
from flexlogger.runs.find import FoundRun, base_dir, find_run, open_found
from flexlogger.runs.segment import Damage
from flexlogger.sinks.base import Sink
from flexlogger.sinks.view import View, nobody_waits
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.where import server_of, token_of
from flexlogger.views import sink_of

LOOK_S = 0.5
"""How often a run that goes on is looked at."""
CLOSE_S = 10.0
KEPT = ("csv", "jsonl", "tensorboard", "wandb", "mlflow")
"""Targets that keep what they are given."""
TARGETS = ("visdom", "terminal", *KEPT)


class Replayed(msgspec.Struct, frozen=True):
    """What was drawn: of which run, how much, what of its log is damaged, how the run was doing, and where it can be
    seen. `complete` is false where the dashboard went away before it was shown everything."""

    run: str
    records: int
    segments: int
    damage: Damage
    status: Status
    env: str = ""
    uid: str = ""
    url: str = ""
    complete: bool = True


def replay(
    run: str | PathLike[str],
    *,
    to: str = "visdom",
    follow: bool = False,
    env: str | None = None,
    uid: str | None = None,
    server: str | None = None,
    port: int | None = None,
    token: str | None = None,
    dir: str | PathLike[str] | None = None,
    stop: threading.Event | None = None,
) -> Replayed:
    """Draw a run again from its log: the windows it had, on the same dashboard or on any other.

    `run` is an id or the start of one, `project/id`, a name, a folder, or `latest`, below `dir`. `to` is `visdom`,
    `terminal`, or for a run that has ended one of the other sinks, `csv`, `jsonl`, `tensorboard`, `wandb`, `mlflow`:
    files lie in the run's folder then, and a tracker is the one that its library's own variables name. With `follow`
    it goes on until the run has ended, or until `stop` is set. `env` and `uid` name other windows than the run's own;
    while a live run draws these, others are taken anyway, and a warning says so.

    Raises RunLogError where there is no such run, ServerError where no dashboard server answers, SinkError where a file
    or tracker does not take it.

    Example:
        import flexlogger.runs
        print(flexlogger.runs.replay("latest", port=8097).url)
    """
    replaying = open_replay(run, to=to, env=env, uid=uid, server=server, port=port, token=token, dir=dir)
    replaying.catch_up()
    if follow:
        replaying.follow(stop or threading.Event())
    return replaying.close()


def open_replay(
    run: str | PathLike[str],
    *,
    to: str,
    env: str | None,
    uid: str | None,
    server: str | None,
    port: int | None,
    token: str | None,
    dir: str | PathLike[str] | None,
    tell: Callable[[str], None] = faults.log.warning,
) -> Replay:
    """Find the run and decide where to draw it; see `replay`. `tell` is told what is worth knowing."""
    if to not in TARGETS:
        raise ValueRefusedError(f"to: {unknown('target', to, TARGETS)}")
    found = find_run(run, base_dir(dir))
    if to in KEPT and found.status == "running":
        told = f"{found.label} still runs, and may have that sink itself; replay it to {to} once it has ended"
        raise RunLogError(told)
    windows = windows_for(found, server_of(server, port), env, uid, time.time()) if to == "visdom" else None
    if windows is not None and windows.note:
        tell(f"flexlogger: {windows.note}")
    return Replay(found, to, windows, token_of(token), tell)


class Replay:
    """One run being drawn again in `windows`; where that is None, in the sink `to`.

    `catch_up` comes first, `close` last.
    """

    def __init__(
        self, found: FoundRun, to: str, windows: Windows | None, token: str | None, tell: Callable[[str], None]
    ) -> None:
        self.found = found
        self._to = to
        self._windows = windows
        self._token = token
        self._tell = tell
        self._complete = True
        self._followed = False
        self._begin()

    def _begin(self) -> None:
        self._source = Source(self.found.folder, self._tell)
        self._sink = self._new_sink()

    def _new_sink(self) -> Sink:
        if self._windows is None:
            return sink_of(self._to, self.found.folder)
        return VisdomSink(HttpSender(self._windows.server, self._token), self._windows.env, self._windows.uid)

    def catch_up(self, advance: Callable[[int], None] = lambda done: None) -> None:
        """Show all there is. `advance` is told how many bytes of the log were read since it was last called.

        Raises ServerError where there is nobody to show it to, before anything is read.
        """
        self._show()
        done = 0
        for items in self._source.read():
            self._sink.write(items)
            advance(self._source.offset - done)
            done = self._source.offset
        self._show()

    def _show(self) -> None:
        with reached(self._windows.server) if self._windows is not None else nullcontext():
            self._sink.flush()

    def follow(self, stop: threading.Event) -> None:
        """Show what comes until the run has ended or `stop` is set; a dashboard that goes away is waited for."""
        view = self._view()
        running = True
        while running:
            running = self._goes_on() and not stop.wait(LOOK_S)
            if self._source.outdated:
                view.stop()
                self._begin()
                view = self._view()
            for items in self._source.read():
                view.offer(items, None, 0)
        self._complete = view.close(CLOSE_S)
        self._followed = True

    def _view(self) -> View:
        if self._windows is None:
            return View(self._sink, self._to, computed=nobody_waits)
        return View(self._sink, "visdom", repair=repair(self._windows.server), computed=nobody_waits)

    def _goes_on(self) -> bool:
        self.found = open_found(self.found.folder, time.time()) or self.found
        return self.found.status == "running"

    def close(self) -> Replayed:
        """Let go of the dashboard; return what was drawn."""
        if not self._followed:
            self._sink.close()
            self._goes_on()
        source = self._source
        damage = source.damage
        if self.found.status == "running":
            damage = msgspec.structs.replace(damage, torn=0)  # a line that is being written
        seen = {} if self._windows is None else {k: getattr(self._windows, k) for k in ("env", "uid", "url")}
        status, complete = self.found.status, self._complete
        return Replayed(self.found.label, source.records, source.segments, damage, status, complete=complete, **seen)
