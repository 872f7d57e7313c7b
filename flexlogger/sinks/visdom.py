"""The dashboard: each window whole and bounded, sent to a visdom server that may come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flexlogger.errors import ServerError
from flexlogger.plots.board import Board
from flexlogger.records import Item, Panel
from flexlogger.sinks.where import window_id
from flexlogger.sinks.wire import Address, Connection, RefusedError

REST_S = 0.005
"""The longest rest between two windows."""


class Sender(Protocol):
    """How a window reaches a server: our own connection, or a user's visdom object."""

    def open(self) -> int:
        """Reach the server; return a number that changes when it may have forgotten its windows. Raises ServerError."""

    def send(self, window: dict[str, Any]) -> None:
        """Replace one window. Raises ServerError."""

    def close(self) -> None:
        """Let go of the server."""


class HttpSender:
    """Sends windows over visdom's HTTP protocol."""

    def __init__(self, where: Address, token: str | None = None) -> None:
        self._connection = Connection(where, token)
        self.open = self._connection.open
        self.close = self._connection.close

    def send(self, window: dict[str, Any]) -> None:
        """Replace one window; the server answers with its id."""
        answer = self._connection.post("/events", window).decode(errors="replace")
        if answer != window["win"]:
            raise RefusedError(
                f"{self._connection.where} did not take the window {window['layout'].get('title', '')!r}: is it a "
                f"visdom server? It answered {answer[:80]!r}"
            )


class ClientSender:
    """Sends windows through a visdom.Visdom object of the user's."""

    def __init__(self, viz: Any) -> None:
        self._viz = viz
        self._generation = 1

    def open(self) -> int:
        """visdom's client does not tell when its server was restarted; after a failure it may have been."""
        return self._generation

    def send(self, window: dict[str, Any]) -> None:
        """Replace one window; visdom's client tells a failure only by an answer that is not the window's id."""
        try:
            answer = self._viz._send(window, endpoint="events")
        except Exception as error:  # visdom raises ConnectionError, RuntimeError and its own kinds
            self._generation += 1
            raise ServerError(f"visdom's client failed: {error}") from error
        if answer != window["win"]:
            self._generation += 1
            raise ServerError(f"visdom's client could not send a window (it answered {str(answer)[:80]!r})")

    def close(self) -> None:
        """The object is the user's."""


def message(panel: Panel, env: str, uid: str, plot: str) -> dict[str, Any]:
    """What a server is sent to show a plot's panel."""
    return {
        "win": window_id(uid, env, plot),
        "eid": env,
        "data": panel.data,
        "layout": panel.layout,
        "opts": panel.opts,
    }


class VisdomSink:
    """Draws a `Board` on a visdom server.

    Every changed window is replaced whole (VISDOM's cheapest way), so a restarted server is complete again after one
    flush. After each window it rests as long as that took: the thread that trains waits for the interpreter meanwhile.
    `sent` counts windows for tests and `status`.
    """

    def __init__(self, sender: Sender, env: str, uid: str, *, rest: Callable[[float], object] = time.sleep) -> None:
        self.board = Board()
        self.sent = 0
        self._sender = sender
        self._rest = rest
        self._env = env
        self._uid = uid
        self._generation = 0

    @property
    def nonfinite(self) -> dict[str, dict[str, Any]]:
        """The first value of each name that was not finite, among all that is drawn."""
        return self.board.nonfinite

    def write(self, batch: Sequence[Item]) -> None:
        """Take items into the board."""
        self.board.write(batch)

    def flush(self) -> None:
        """Send every window that has changed since it was last sent; all of them to a new connection.

        A window that the server refuses does not keep the others from being drawn."""
        generation = self._sender.open()
        if generation != self._generation:
            self.board.mark_all_dirty()
            self._generation = generation
        refused: RefusedError | None = None
        spent = 0.0
        for plot in self.board.dirty():
            if spent:
                self._rest(min(spent, REST_S))
            started = time.perf_counter()
            version = self.board.version(plot)
            try:
                self._sender.send(self._message(plot))
            except RefusedError as error:
                refused = refused or RefusedError(f"window {plot!r}: {error}")
                continue
            finally:
                spent = time.perf_counter() - started
            self.board.mark_clean(plot, version)
            self.sent += 1
        if refused is not None:
            raise refused

    def _message(self, plot: str) -> dict[str, Any]:
        return message(self.board.panel(plot), self.board.env_of(plot) or self._env, self._uid, plot)

    def close(self) -> None:
        """Let go of the server."""
        self._sender.close()
