"""Sinks as a config names them, each with its thread and patience around it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from flexlogger.config.model import Dashboard, SinkConfig
from flexlogger.errors import MissingExtraError, ValueRefusedError
from flexlogger.sinks.base import Sink
from flexlogger.sinks.view import View
from flexlogger.sinks.visdom import ClientSender, HttpSender, Sender, VisdomSink
from flexlogger.sinks.wire import Address, address

DEFAULT_PORT = 8097


class Target(NamedTuple):
    """One view that is to be: its config, and where its server is, if it has one."""

    config: SinkConfig
    server: Address | None


class Views:
    """The views of a declaration. `viz` is a visdom.Visdom object of the user's to draw through.

    Raises ValueRefusedError for an address that cannot be, before anything is opened.
    """

    def __init__(self, dashboard: Dashboard, viz: Any = None) -> None:
        self._dashboard = dashboard
        self._viz = viz
        self.targets = [Target(config, self._server(config)) for config in dashboard.sinks]

    @property
    def servers(self) -> list[str]:
        """The dashboard servers that are drawn on."""
        return [str(server) for _, server in self.targets if server is not None]

    def url(self, env: str) -> str | None:
        """The dashboard's address; None where no view has one."""
        return f"{self.servers[0]}/env/{quote(env)}" if self.servers else None

    def open(self, env: str, uid: str, history: Sequence[Path] = ()) -> list[View]:
        """Start all of them; each shows `history` first."""
        return [self._open(target, env, uid, history) for target in self.targets]

    def _open(self, target: Target, env: str, uid: str, history: Sequence[Path]) -> View:
        config, server = target
        if config.sink is not None:
            return View(config.sink, config.type, history=history)
        if server is not None:
            sink: Sink = VisdomSink(self._sender(config, server, env), env, uid)
            repair = f"Start a server with: flexlogger server --port {server.port}"
            return View(sink, config.type, history=history, repair=repair)
        if config.type == "terminal":
            from flexlogger.sinks.terminal import TerminalSink

            return View(TerminalSink(), config.type, history=history)
        from flexlogger.sinks.memory import MemorySink

        return View(MemorySink(), config.type, history=history)

    def _server(self, config: SinkConfig) -> Address | None:
        if config.sink is not None or config.type != "visdom":
            return None
        server = config.opts.get("server") or self._dashboard.server or os.environ.get("FLEXLOGGER_SERVER")
        port = config.opts.get("port") or self._dashboard.port or _port_from_environment()
        if self._viz is not None:
            server, port = str(getattr(self._viz, "server", server)), getattr(self._viz, "port", port)
        self._token(config)
        return address(server or "localhost", port)

    def _sender(self, config: SinkConfig, server: Address, env: str) -> Sender:
        if self._viz is not None:
            return ClientSender(self._viz)
        if config.opts.get("client") == "package":
            return ClientSender(_visdom_client(server, env))
        return HttpSender(server, self._token(config))

    def _token(self, config: SinkConfig) -> str | None:
        return config.opts.get("token") or self._dashboard.token or _token_from_environment()


def own_sinks(dashboard: Dashboard, history: Sequence[Path]) -> list[View]:
    """Start views of the sink objects that a declaration brings from code, and of nothing else it names."""
    return [View(c.sink, c.type, history=history) for c in dashboard.sinks if c.sink is not None]


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
