"""Serving: from bound sockets to the last save."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import tornado.httpserver
import tornado.netutil

from flexlogger.server import assets
from flexlogger.server.address import Serving
from flexlogger.server.app import MAX_BODY, Dashboard
from flexlogger.server.envs import Environments

SAVING_SHARE = 0.05
"""Most of its time that the server spends on encoding environments: large ones are saved less often."""

TROUBLE = {
    errno.EADDRINUSE: ("is taken", "if not by your dashboard, choose another with --port (0 finds a free one)"),
    errno.EACCES: ("needs more rights", "choose one above 1023 with --port"),
}
"""What keeps a port from being bound, and what helps."""

log = logging.getLogger("flexlogger.server")


def bind(host: str, port: int) -> list[socket.socket]:
    """Take `port` on every address of `host`; raises OSError."""
    return tornado.netutil.bind_sockets(port, host)


async def serve(
    sockets: list[socket.socket],
    state: Environments,
    save_every: float,
    ready: Callable[[Serving], None],
    lifeline: bool,
) -> None:
    """Serve until a signal, or with `lifeline` the end of standard input; the last save is the caller's."""
    logging.getLogger("tornado.general").setLevel(logging.ERROR)  # malformed requests are not the user's concern
    host, port = sockets[0].getsockname()[:2]
    app = Dashboard(state, port)
    server = tornado.httpserver.HTTPServer(app, max_buffer_size=MAX_BODY + 2**20, max_body_size=MAX_BODY)
    server.add_sockets(sockets)
    if not assets.ready():
        log.warning("the page's scripts are not installed; run: %s (what is logged is kept meanwhile)", assets.COMMAND)
    stop = _stop_signals(lifeline)
    shown = f"[{host}]" if ":" in host else host
    ready(Serving(f"http://{shown}:{port}", port, os.getpid(), str(state.folder)))
    await _save_until(stop, state, save_every)
    server.stop()
    for connected in (*app.subs.values(), *app.sources.values()):
        connected.close(1001, "the server stops")


async def _save_until(stop: asyncio.Event, state: Environments, save_every: float) -> None:
    pause = save_every
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            started = time.thread_time()
            await state.save_touched()
            pause = max(save_every, (time.thread_time() - started) / SAVING_SHARE)


def _stop_signals(lifeline: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)  # not the loop's own: those end with it, and the last save comes after
    if lifeline:
        os.set_blocking(sys.stdin.fileno(), False)
        loop.add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
    return stop


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
