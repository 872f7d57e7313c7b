"""Views that do not run in the trainer's process: in one of their own, or on another machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from flexlogger.config.model import Dashboard, SinkConfig
from flexlogger.identity import Identity
from flexlogger.net.addresses import address
from flexlogger.pipe.base import Outlet
from flexlogger.runs.format import Resume
from flexlogger.runs.processes import this_process


class Scene(NamedTuple):
    """Which run is drawn, and as what: `log` is this process's own segment, `claims` are the files that say that the
    run and its windows are ours."""

    identity: Identity
    uid: str
    world: int
    log: Path
    claims: Sequence[Path]
    resume: Resume | None


class Away:
    """Where a declaration has its dashboards drawn.

    Raises ValueRefusedError for a key file that cannot be read, before anything is opened.
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self.pipe = dashboard.pipe if dashboard.runlog else "thread"
        self._keys: Any = None
        if self.tcp and dashboard.keys is not None:
            from flexlogger.net.keys import client_keys  # ZeroMQ; only those who leave the machine need it

            self._keys = client_keys(dashboard.keys)

    @property
    def tcp(self) -> bool:
        """True where another machine draws, and decides on which dashboard."""
        return self.pipe not in ("thread", "process")

    def open(self, configs: Sequence[SinkConfig], scene: Scene, taken: Collection[str]) -> list[Outlet]:
        """Start these views, under names that are not `taken`; or whatever a monitor has."""
        if self.tcp:
            return [self._monitor(scene)]
        if not configs:
            return []
        from flexlogger.pipe.process import ViewsProcess
        from flexlogger.pipe.remote import RemoteView
        from flexlogger.pipe.words import Order

        identity, dashboard = scene.identity, self._dashboard
        order = Order(
            str(identity.folder),
            identity.id,
            str(scene.log),
            this_process(),
            tuple(map(str, scene.claims)),
            identity.env,
            scene.uid,
            tuple((config.type, config.opts) for config in configs),
            identity.ranks,
            scene.world,
            scene.resume,
            dashboard.server,
            dashboard.port,
            dashboard.token,
        )
        process = ViewsProcess(order)
        names = free_names([config.type for config in configs], taken)
        return [RemoteView(process, index, name) for index, name in enumerate(names)]

    def _monitor(self, scene: Scene) -> Outlet:
        from flexlogger.pipe.tcp import TcpView

        identity = scene.identity
        where = str(address(self.pipe))
        return TcpView(identity.folder, identity.project, identity.id, where, self._keys, self._dashboard.keys)


def free_names(wanted: Sequence[str], taken: Collection[str]) -> list[str]:
    """A name for each view: its type, or with a number where that is taken.

    >>> free_names(["visdom", "visdom"], ["card"])
    ['visdom', 'visdom 2']
    """
    found: list[str] = []
    for word in wanted:
        names = (word if number == 1 else f"{word} {number}" for number in count(1))
        found.append(next(name for name in names if name not in (*taken, *found)))
    return found
