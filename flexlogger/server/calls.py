"""What a visdom client asks for by POST: the body is read once, names are checked, visdom's own functions answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from visdom.server.handlers import web_handlers
from visdom.utils import server_utils

from flexlogger.server import wire
from flexlogger.server.guard import Guard, Refused, env_name

if TYPE_CHECKING:
    from flexlogger.server.app import Dashboard

ODD_INPUT = (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError, RecursionError)
"""What visdom's functions raise at input they do not expect."""

Work = Callable[["Call", dict[str, Any]], None]


class Handler(Guard):
    """A handler with what visdom's functions look for on theirs."""

    env_path = None  # visdom is to leave the disk alone; `Environments` keeps it

    def initialize(self, app: Dashboard) -> None:
        """Take the state that all handlers share."""
        self.app = app
        self.state = app.state
        self.subs = app.subs
        self.sources = app.sources

    def arguments(self) -> dict[str, Any]:
        """Read the body, which must be a JSON object."""
        try:
            arguments = wire.decode(self.request.body)
        except wire.NotJSON as error:
            raise Refused(400, f"the body is not JSON: {error}") from error
        if not isinstance(arguments, dict):
            raise Refused(400, f"expected a JSON object, got {type(arguments).__name__}")
        return arguments


class Call(Handler):
    """One endpoint. `work(handler, arguments)` is visdom's function for it; `changes` says that it alters the env."""

    def initialize(self, app: Dashboard, work: Work, changes: bool) -> None:  # type: ignore[override] # tornado passes what the route says
        """Take the shared state and this endpoint's function."""
        super().initialize(app)
        self._work = work
        self._changes = changes

    def post(self) -> None:
        """Answer; an unknown environment is 404, whatever else visdom cannot take is 400."""
        arguments = self.arguments()
        for key in ("eid", "prev_eid"):
            if arguments.get(key) is not None:
                arguments[key] = env_name(arguments[key])
        try:
            self._work(self, arguments)
        except ODD_INPUT as error:
            raise self._refusal(arguments, error) from error
        finally:
            if self._changes:
                self.app.touched(arguments.get("eid") or "main")

    def _refusal(self, arguments: dict[str, Any], error: Exception) -> Refused:
        name = arguments.get("prev_eid") or arguments.get("eid") or "main"
        if name not in self.state:
            return Refused(404, f"there is no env {name!r}")
        return Refused(400, f"visdom cannot take this: {type(error).__name__}: {error}")


def show(call: Call, arguments: dict[str, Any]) -> None:
    """Put up a window, or replace the one of that id in place; makes the environment where there is none."""
    window = server_utils.window(arguments)
    server_utils.register_window(call, window, server_utils.extract_eid(arguments))


def window_data(call: Call, arguments: dict[str, Any]) -> None:
    """Read windows, or overwrite them with ``data`` (a JSON string); NaN in it becomes null as everywhere."""
    if "data" in arguments:
        data = wire.decode(arguments["data"])
        given = data if arguments.get("win") is None else {arguments["win"]: data}
        if not isinstance(given, dict) or not all(isinstance(window, dict) for window in given.values()):
            raise ValueError("expected windows as JSON objects")
        for place, window in enumerate(given.values()):
            window.setdefault("i", place)  # without it the next update of the window would fail
        arguments["data"] = wire.encode(data).decode()
        call.app.touched(arguments.get("eid") or "main")
    web_handlers.DataHandler.wrap_func(call, arguments)


def save(call: Call, arguments: dict[str, Any]) -> None:
    """Write environments to disk now; answers with those that exist."""
    names = [env_name(name) for name in arguments["data"]]
    call.write(wire.encode(call.state.save(names)))


def fork(call: Call, arguments: dict[str, Any]) -> None:
    """Copy an environment, on disk as well."""
    web_handlers.ForkEnvHandler.wrap_func(call, arguments)
    call.state.save([arguments["eid"]])


def delete(call: Call, arguments: dict[str, Any]) -> None:
    """Remove an environment and its file; one that is not there is not an error."""
    if arguments.get("eid") is not None and arguments["eid"] in call.state:
        del call.state[arguments["eid"]]
        server_utils.broadcast_envs(call)


CALLS: dict[str, tuple[Work, bool]] = {
    "/events": (show, True),
    "/update": (web_handlers.UpdateHandler.wrap_func, True),
    "/close": (web_handlers.CloseHandler.wrap_func, True),
    "/win_exists": (web_handlers.ExistsHandler.wrap_func, False),
    "/win_data": (window_data, False),
    "/win_hash": (web_handlers.HashHandler.wrap_func, False),
    "/env_state": (web_handlers.EnvStateHandler.wrap_func, False),
    "/save": (save, False),
    "/fork_env": (fork, False),
    "/delete_env": (delete, False),
}
"""Path → (function, whether it changes the environment it names)."""
