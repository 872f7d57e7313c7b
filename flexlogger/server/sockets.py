"""The two websockets: browsers, which are shown windows and may arrange them, and clients, which hear what users do."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import tornado.iostream
import tornado.websocket
from visdom.server.handlers import socket_handlers
from visdom.utils import server_utils

from flexlogger.server import wire
from flexlogger.server.calls import ODD_INPUT
from flexlogger.server.guard import Guard, Refused, env_name

if TYPE_CHECKING:
    from flexlogger.server.app import Dashboard

MAX_BACKLOG = 256 * 2**20
"""Bytes that may wait for one socket; a browser that reads slower than that is let go (its page says "offline")."""

log = logging.getLogger("flexlogger.server")


class Bounded(Guard, tornado.websocket.WebSocketHandler):
    """A socket that can neither hold memory without end nor break the request that writes to it."""

    def open(self, *args: str, **kwargs: str) -> None:
        """Bound what may wait to be sent."""
        self._stream.max_write_buffer_size = MAX_BACKLOG
        super().open(*args, **kwargs)

    def write_message(self, message: bytes | str | dict[str, Any], binary: bool = False) -> asyncio.Future[None]:
        """Send, or drop what a gone or stuck socket cannot take: others are to get theirs all the same."""
        try:
            return super().write_message(message, binary)
        except tornado.websocket.WebSocketClosedError:
            pass
        except tornado.iostream.StreamBufferFullError:
            log.warning("a browser at %s reads too slowly and was let go", self.request.remote_ip)
            self._stream.close()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    @property
    def _stream(self) -> tornado.iostream.IOStream:
        assert self.ws_connection is not None  # set before `open`
        assert self.ws_connection.stream is not None
        return self.ws_connection.stream


class ClientSocket(Bounded, socket_handlers.VisSocketHandler):
    """``/vis_socket``: visdom's Python client, listening for clicks and keys."""

    def on_message(self, message: str | bytes) -> None:
        """Take what visdom takes; drop the rest."""
        try:
            super().on_message(message)
        except ODD_INPUT:
            log.warning("dropped a message of a client that visdom cannot read")


class BrowserSocket(Bounded, socket_handlers.SocketHandler):
    """``/socket``: one open page."""

    app: Dashboard

    def on_message(self, message: str | bytes) -> None:
        """Check the names in a command, let visdom carry it out, note what it changed."""
        try:
            command = wire.decode(message)
            names = _name_checked(command)
            if command["cmd"] == "delete_env":
                del self.state[command["eid"]]
                server_utils.broadcast_envs(self)
            else:
                super().on_message(wire.encode(command))
        except (*ODD_INPUT, Refused) as error:
            log.warning("dropped a page's command: %s", error.why if isinstance(error, Refused) else repr(error))
            return
        for name in names:
            self.app.touched(name)
        if command["cmd"] == "save":
            self.app.state.save(names)


def _name_checked(command: dict[str, Any]) -> list[str]:
    """Put each environment's name into its kept form, in place; return the names of those that may change."""
    for key in ("eid", "prev_eid"):
        if key in command:
            command[key] = env_name(command[key])
    changed = [command["eid"]] if "eid" in command else []
    if command["cmd"] == "save_layouts":
        if not isinstance(command["data"], str):
            raise TypeError("expected the layouts as a string")
    elif command["cmd"] in ("forward_to_vis", "pop_embeddings_pane"):
        packet = command["data"]
        packet["eid"] = env_name(packet["eid"])
        changed.append(packet["eid"])
    return changed
