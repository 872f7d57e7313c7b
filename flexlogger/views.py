"""Sinks as a config names them, each with its thread and patience around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from flexlogger.away import Away, free_names
from flexlogger.config.model import Dashboard, SinkConfig
from flexlogger.config.rates import read_every
from flexlogger.errors import MissingExtraError
from flexlogger.runs.tail import Tail
from flexlogger.sinks.base import Sink
from flexlogger.sinks.chosen import Chosen
from flexlogger.sinks.function import FunctionSink, function_at
from flexlogger.sinks.handover import Stage
from flexlogger.sinks.view import View
from flexlogger.sinks.where import server_of, token_of
from flexlogger.sinks.wire import Address

if TYPE_CHECKING:
    from flexlogger.sinks.visdom import Sender

Status = Callable[[], dict[str, Any]]
"""Returns the status of a pipe."""


class Others(NamedTuple):
    """How a view sees what other processes wrote into the run: where it reads, and what that goes through."""

    tail: Tail | None = None
    stage: Stage | None = None


_EXTRAS = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
"""Sinks that need a library: what is imported. The extra is called like the sink."""
_CHOICE = ("only", "not", "every")
_LOCAL = ("terminal", "memory", "callable")


class Target(NamedTuple):
    """One view that is to be: its config, and where its dashboard server is, if it has one."""

    config: SinkConfig
    server: Address | None

    @property
    def shared(self) -> bool:
        """True where it is the same for all processes of a run, so that only one may feed it."""
        return self.config.sink is None and self.config.type not in _LOCAL


class Views:
    """The views of a declaration. `viz` is a visdom.Visdom object of the user's to draw through.

    Raises ValueRefusedError for an address or a function that cannot be, MissingExtraError where a library is missing,
    before anything is opened.
    """

    def __init__(self, dashboard: Dashboard, viz: Any = None) -> None:
        self._dashboard = dashboard
        self._viz = viz
        self.away = Away(dashboard)
        """Opens those that run elsewhere."""
        targets = [Target(_imported(config), self._server(config)) for config in dashboard.sinks]
        self.targets = [target for target in targets if not self._goes_away(target)]
        """Those that run in this process."""
        self.elsewhere = [target for target in targets if self._goes_away(target)]
        """Those that do not."""

    def _goes_away(self, target: Target) -> bool:
        """True where a view runs elsewhere: what only this process has stays, and so does the user's visdom object."""
        if not target.shared or (self._viz is not None and target.server is not None):
            return False
        return self.away.pipe == "process" or (self.away.tcp and target.server is not None)

    @property
    def servers(self) -> list[str]:
        """The dashboard servers that are drawn on; those that a monitor draws on are its own business."""
        targets = self.targets if self.away.tcp else (*self.targets, *self.elsewhere)
        return list(dict.fromkeys(str(target.server) for target in targets if target.server is not None))

    def url(self, env: str) -> str | None:
        """The dashboard's address; None where no view has one."""
        return f"{self.servers[0]}/env/{quote(env)}" if self.servers else None

    def open(
        self,
        target: Target,
        folder: Path,
        env: str,
        uid: str,
        others: Others,
        status: Status,
        computed: Callable[[], float] = time.thread_time,
    ) -> View:
        """Start one of them, under a name that the pipe whose `status` this is has no view of yet.

        `folder` is the run's; `computed` as View takes it."""
        config, server = target
        (name,) = free_names([config.type], status()["views"])
        repair = f"Start a server with: flexlogger server --port {server.port}" if server is not None else ""
        sink = _chosen(self._sink(target, folder, env, uid, status), config.opts)
        return View(sink, name, tail=others.tail, stage=others.stage, repair=repair, computed=computed)

    def _sink(self, target: Target, folder: Path, env: str, uid: str, status: Status) -> Sink:
        config, server = target
        if config.sink is not None:
            return config.sink  # type: ignore[no-any-return]  # the check saw to its methods
        if server is not None:
            from flexlogger.sinks.visdom import VisdomSink  # and all plots

            return VisdomSink(self._sender(config, server, env), env, uid)
        own = {key: value for key, value in config.opts.items() if key not in _CHOICE}
        return _MAKE[config.type](own, folder, status)

    def _server(self, config: SinkConfig) -> Address | None:
        if config.sink is not None or config.type != "visdom":
            return None
        server = config.opts.get("server") or self._dashboard.server
        port = config.opts.get("port") or self._dashboard.port
        if self._viz is not None:
            server, port = str(getattr(self._viz, "server", server)), getattr(self._viz, "port", port)
        elif config.opts.get("client") == "package" and find_spec("visdom") is None:
            raise MissingExtraError("sinks: visdom: client: package", "visdom", "visdom")
        self._token(config)  # raises where it cannot be
        return server_of(server, port)

    def _sender(self, config: SinkConfig, server: Address, env: str) -> Sender:
        from flexlogger.sinks.visdom import ClientSender, HttpSender

        if self._viz is not None:
            return ClientSender(self._viz)
        if config.opts.get("client") == "package":
            return ClientSender(_visdom_client(server, env))
        return HttpSender(server, self._token(config))

    def _token(self, config: SinkConfig) -> str | None:
        return token_of(config.opts.get("token") or self._dashboard.token)


def _imported(config: SinkConfig) -> SinkConfig:
    """The same with the function that it names; raises where that, or a library, is not there."""
    library = _EXTRAS.get(config.type) if config.sink is None else None
    if library is not None and find_spec(library) is None:
        raise MissingExtraError(f"sinks: {config.type}", library, config.type)
    if config.type == "callable" and isinstance(path := config.opts.get("function"), str):
        return msgspec.structs.replace(config, opts={**config.opts, "function": function_at(path)})
    return config


def _chosen(sink: Sink, opts: Mapping[str, Any]) -> Sink:
    """What goes before a sink that is not to have everything."""
    only, without = ([globs] if isinstance(globs := opts.get(key, []), str) else globs for key in ("only", "not"))
    every = read_every(opts["every"]) if "every" in opts else None
    if not (only or without or every):
        return sink
    return Chosen(sink, only, without, **({every.unit: every.amount} if every is not None else {}))


def sink_of(type: str, folder: Path) -> Sink:
    """Return a sink as a config that only names it has it, for the run in `folder`. Raises MissingExtraError."""
    return _MAKE[_imported(SinkConfig(type)).type]({}, folder, dict)


# Each imports its module when it is wanted, not before.


def _terminal(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.terminal import TerminalSink

    return TerminalSink(**opts, health=status)


def _memory(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.memory import MemorySink

    return MemorySink()


def _csv(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.csv import CsvSink

    return CsvSink(_path(opts, folder, "metrics.csv"))


def _jsonl(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.jsonl import JsonlSink

    return JsonlSink(_path(opts, folder, "metrics.jsonl"))


def _path(opts: Mapping[str, Any], folder: Path, name: str) -> Path:
    return Path(opts["path"].replace("{run}", folder.name)).expanduser() if "path" in opts else folder / name


def _tensorboard(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.tensorboard import TensorBoardSink

    logdir = opts.get("dir")
    return TensorBoardSink(Path(logdir).expanduser() / folder.name if logdir else folder / "tensorboard")


def _wandb(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.wandb import WandbSink

    return WandbSink(folder, **opts)


def _mlflow(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    from flexlogger.sinks.mlflow import MlflowSink

    return MlflowSink(folder, **opts)


def _callable(opts: Mapping[str, Any], folder: Path, status: Status) -> Sink:
    return FunctionSink(opts["function"])


_MAKE: dict[str, Callable[[Mapping[str, Any], Path, Status], Sink]] = {
    "terminal": _terminal,
    "memory": _memory,
    "csv": _csv,
    "jsonl": _jsonl,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "callable": _callable,
}


def _visdom_client(where: Address, env: str) -> Any:
    """The visdom package's own client; it prints and blocks when its server is away, which a view's thread bears."""
    import visdom  # only for those who ask for it

    return visdom.Visdom(
        server=f"{where.scheme}://{where.host}",
        port=where.port,
        base_url=where.base or "/",
        env=env,
        use_incoming_socket=False,
    )
