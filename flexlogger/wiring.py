"""From a checked dashboard to running parts: meters into channels, sinks into views, a run folder, a pipe."""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flexlogger import faults
from flexlogger.channels import Channel
from flexlogger.config.model import Dashboard, MeterConfig, SinkConfig
from flexlogger.errors import ConfigError, FlexLoggerError, MissingExtraError, Problem, RunLogError, ValueRefusedError
from flexlogger.meters.build import build_meter
from flexlogger.pipe.feed import Feed
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.plots.catalog import PLOTS
from flexlogger.readback import Readback
from flexlogger.records import Kind, PlotDef
from flexlogger.runs.segment import SegmentWriter, segments
from flexlogger.sinks.base import Sink
from flexlogger.sinks.view import View
from flexlogger.sinks.visdom import ClientSender, HttpSender, Sender, VisdomSink, window_id
from flexlogger.sinks.wire import Address, address

DEFAULT_PORT = 8097
DEFAULT_DIR = "flexlogger_runs"
CLOSE_VIEWS_S = 2.0


# ---- meters


def build_channels(
    dashboard: Dashboard, old: Mapping[str, Channel], allow_imports: Iterable[str]
) -> dict[str, Channel]:
    """Make the meters of a dashboard; those whose declaration is unchanged are kept with what they have gathered.

    Raises ConfigError with every meter that cannot be made.
    """
    plots = {plot.name: plot for plot in dashboard.plots}
    channels: dict[str, Channel] = {}
    problems: list[Problem] = []
    for config in dashboard.meters:
        known = old.get(config.name)
        if known is not None and known.config == config:
            channels[config.name] = known
            continue
        try:
            channels[config.name] = _channel(config, plots[config.target], tuple(allow_imports))
        except FlexLoggerError as error:
            problems.append(Problem(config.place, f"meters.{config.name}", str(error)))
    if problems:
        raise ConfigError(problems)
    return channels


def _channel(config: MeterConfig, plot: PlotDef, allow_imports: tuple[str, ...]) -> Channel:
    meter = build_meter(config.type, config.opts, kind_hint=_kind(plot), allow_imports=allow_imports)
    labels = plot.opts.get("labels", ())
    return Channel(config, meter, tuple(map(str, labels)) if isinstance(labels, (list, tuple)) else ())


_VALUE_OF: dict[str, Kind] = {"image": "image", "images": "images", "histogram": "histogram"}


def _kind(plot: PlotDef) -> Kind:
    """What a meter of unknown shape should make of its values: what its plot is for, else whatever comes."""
    accepts = PLOTS[plot.type].accepts - {"any"}
    return _VALUE_OF.get(plot.type, next(iter(accepts)) if len(accepts) == 1 else "any")


# ---- the run


class Run:
    """An open run: its name, folder and dashboard address, and the pipe that leads there."""

    def __init__(self, name: str, folder: Path, env: str, uid: str, url: str | None, pipe: ThreadPipe) -> None:
        self.name = name
        self.folder = folder
        self.env = env
        self.uid = uid
        self.url = url
        self.pipe = pipe
        self.windows: frozenset[str] = frozenset()
        self.ending = "finished"
        """What the log's last line will say."""
        self._pid = os.getpid()

    def own(self, plots: Iterable[PlotDef]) -> None:
        """Become the one that draws these windows: an older logger of this process that drew one of them (a notebook
        cell that was run again) stops drawing on the dashboard, and goes on logging."""
        if self.url is None:
            return
        server = self.url.split("/env/")[0]
        self.windows = frozenset(f"{server} {window_id(self.uid, p.opts.get('env', self.env), p.name)}" for p in plots)
        for other in list(_live):
            if other is not self and other.windows & self.windows:
                other.windows = frozenset()
                other.pipe.release_views(("visdom",), CLOSE_VIEWS_S)
                faults.log.info("flexlogger: run %s draws the windows of run %s from now on", self.name, other.name)
        _live.add(self)

    def close(self, timeout: float) -> None:
        """Close the pipe; tell what did not get through. The garbage collector may call this in one of the pipe's own
        threads, which cannot wait for itself: another thread does."""
        if self.pipe.runs_in(threading.current_thread()):
            threading.Thread(target=self._close, args=(timeout,), name="flexlogger-close").start()
        else:
            self._close(timeout)

    def _close(self, timeout: float) -> None:
        _live.discard(self)
        complete = self.pipe.close(timeout, self.ending if os.getpid() == self._pid else "forked")
        told = self.pipe.status()
        if told["dropped"]:
            faults.log.warning("flexlogger: dropped, by reason: %s", told["dropped"])
        if told["unencodable"]:
            faults.log.warning("flexlogger: %d records could not be encoded", told["unencodable"])
        if complete:
            return
        if told["stuck"] or told["dropped"].get("not written before close"):
            faults.log.warning("flexlogger: the run log in %s is not complete", self.folder)
        else:
            faults.log.warning("flexlogger: the dashboard is not complete; everything is in %s", self.folder)


_live: weakref.WeakSet[Run] = weakref.WeakSet()


def open_run(dashboard: Dashboard, viz: Any, readback: Readback) -> Run:
    """Open the run of a dashboard: its folder, its views, its pipe."""
    name = dashboard.run or new_run_name()
    env = dashboard.env or name
    uid = dashboard.uid or env
    folder = Path(dashboard.dir or os.environ.get("FLEXLOGGER_DIR") or DEFAULT_DIR)
    folder = folder / (dashboard.project or "default") / name
    if dashboard.runlog:
        _check_writable(folder)
    history = segments(folder) if folder.is_dir() else []
    views, url = [], None
    for config in dashboard.sinks:
        sink, repair, address = _sink(config, dashboard, viz, env, uid)
        url = url or address
        views.append(View(sink, config.type, history=history, repair=repair))
    writer = partial(SegmentWriter, folder, name, fsync=dashboard.fsync) if dashboard.runlog else None
    pipe = ThreadPipe(Feed(writer, views), source=readback)
    run = Run(name, folder, env, uid, url, pipe)
    run.own(dashboard.plots)
    return run


def _check_writable(folder: Path) -> None:
    """Refuse before training what would fail at the first record: a folder that cannot be made or written."""
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "is not a folder" if not parent.is_dir() else "cannot be written"
        raise RunLogError(
            f"the run log cannot be kept in {folder}: {parent} {what}; name another place with dir or "
            "FLEXLOGGER_DIR, or say runlog: off"
        )


def new_run_name(now: float | None = None) -> str:
    """A run's name where none is given: date, time and four random letters, so that names sort by time.

    >>> new_run_name(0.0)[:8]
    '19700101'
    """
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + "-" + secrets.token_hex(2)


# ---- views


def _sink(config: SinkConfig, dashboard: Dashboard, viz: Any, env: str, uid: str) -> tuple[Sink, str, str | None]:
    """Make a view's sink; also the hint shown when it is away, and the dashboard's URL where it is one."""
    if config.sink is not None:
        return config.sink, "", None
    if config.type == "terminal":
        from flexlogger.sinks.terminal import TerminalSink

        return TerminalSink(), "", None
    if config.type == "memory":
        from flexlogger.sinks.memory import MemorySink

        return MemorySink(), "", None
    return _visdom(config, dashboard, viz, env, uid)


def _visdom(config: SinkConfig, dashboard: Dashboard, viz: Any, env: str, uid: str) -> tuple[Sink, str, str | None]:
    server = config.opts.get("server") or dashboard.server or os.environ.get("FLEXLOGGER_SERVER") or "localhost"
    port = config.opts.get("port") or dashboard.port or _port_from_environment()
    token = config.opts.get("token") or dashboard.token or _token_from_environment()
    where = address(server, port)
    sender: Sender
    if viz is not None:
        where = address(str(getattr(viz, "server", server)), getattr(viz, "port", port))
        sender = ClientSender(viz)
    elif config.opts.get("client") == "package":
        sender = ClientSender(_visdom_client(where, env))
    else:
        sender = HttpSender(where, token)
    repair = f"Start a server with: flexlogger server --port {where.port}"
    return VisdomSink(sender, env, uid), repair, f"{where}/env/{quote(env)}"


def _visdom_client(where: Address, env: str) -> Any:
    """The visdom package's own client; it prints and blocks when its server is away, which a view's thread bears."""
    try:
        import visdom
    except ImportError as error:
        raise MissingExtraError("sinks: visdom: client: package", "visdom", "visdom") from error
    return visdom.Visdom(
        server=f"{where.scheme}://{where.host}",
        port=where.port,
        base_url=where.base or "/",
        env=env,
        use_incoming_socket=False,
    )


def _port_from_environment() -> int:
    text = os.environ.get("FLEXLOGGER_PORT", "")
    if text and not (text.isdecimal() and 0 < int(text) < 65536):
        raise ValueRefusedError(f"FLEXLOGGER_PORT: expected a port number from 1 to 65535, got {text!r}")
    return int(text) if text else DEFAULT_PORT


def _token_from_environment() -> str | None:
    token = os.environ.get("FLEXLOGGER_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueRefusedError("FLEXLOGGER_TOKEN: expected printable ASCII characters")  # never shown
    return token or None
