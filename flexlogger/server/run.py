"""Serving: from a bound port to the last save."""

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
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import tornado.httpserver
import tornado.netutil

from flexlogger.errors import FlexLoggerError
from flexlogger.server import assets
from flexlogger.server.envs import Environments
from flexlogger.server.guard import is_loopback
from flexlogger.server.lean import leave_out_client

if TYPE_CHECKING:
    from flexlogger.server.app import Dashboard

DEFAULT_FOLDER = Path("~/.flexlogger/envs")
"""Where environments are kept unless said otherwise: per user, so that a server started anywhere shows them again."""

SAVING_SHARE = 0.05
"""Most of its time that the server spends on encoding environments: large ones are saved less often."""


PORT_TROUBLE = {
    errno.EADDRINUSE: ("is taken", "if not by your dashboard, choose another with --port (0 finds a free one)"),
    errno.EACCES: ("needs more rights", "choose one above 1023 with --port"),
}
"""What keeps a port from being bound, and what helps."""


class CannotServe(FlexLoggerError):
    """The server cannot start; the message is one line with what to do."""


class Serving(msgspec.Struct, frozen=True):
    """A server that is ready: where it listens, its process, and where it keeps environments."""

    url: str
    port: int
    pid: int
    env_path: str


def serve(
    host: str,
    port: int,
    folder: Path,
    save_every: float,
    ready: Callable[[Serving], None],
    lifeline: bool = False,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then save and return.

    `port` 0 takes a free one. Changed environments are saved every `save_every` seconds. `ready` is called once
    requests are taken. With `lifeline` the end of standard input stops the server too, so that it never outlives the
    process that started it. Raises `CannotServe` and `MissingExtraError`.
    """
    if not is_loopback(host):
        raise CannotServe(
            f"refusing to listen on {host}: there is no login yet, so this server is for this machine only; "
            f"from elsewhere use a tunnel: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE"
        )
    leave_out_client()
    sockets = _bound(host, port)
    state = Environments(folder.expanduser().absolute(), _say)
    try:
        asyncio.run(_serve(sockets, host, state, folder.expanduser().absolute(), save_every, ready, lifeline))
    finally:
        state.close()


async def _serve(
    sockets: list[socket.socket],
    host: str,
    state: Environments,
    folder: Path,
    save_every: float,
    ready: Callable[[Serving], None],
    lifeline: bool,
) -> None:
    from flexlogger.server.app import MAX_BODY, Dashboard  # imports visdom, which must come lean

    logging.getLogger("tornado.general").setLevel(logging.ERROR)  # malformed requests are not the user's concern
    port = sockets[0].getsockname()[1]
    app = Dashboard(state, folder, port)
    server = tornado.httpserver.HTTPServer(app, max_buffer_size=MAX_BODY + 2**20, max_body_size=MAX_BODY)
    server.add_sockets(sockets)
    if not assets.ready():
        _say(f"the page's scripts are not installed; run: {assets.COMMAND} (what is logged is kept meanwhile)")
    shown = f"[{host}]" if ":" in host else host
    saver = asyncio.create_task(_save_often(app, save_every))
    stop = _stop_signals(lifeline)
    ready(Serving(f"http://{shown}:{port}", port, os.getpid(), str(folder)))
    await stop.wait()
    server.stop()
    saver.cancel()
    await asyncio.gather(saver, return_exceptions=True)


async def _save_often(app: Dashboard, save_every: float) -> None:
    pause = save_every
    while True:
        await asyncio.sleep(pause)
        started = time.thread_time()
        await app.state.save_touched()
        pause = max(save_every, (time.thread_time() - started) / SAVING_SHARE)


def _stop_signals(lifeline: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if lifeline:
        os.set_blocking(sys.stdin.fileno(), False)
        loop.add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
    return stop


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _bound(host: str, port: int) -> list[socket.socket]:
    try:
        return tornado.netutil.bind_sockets(port, host)
    except OSError as error:
        why, remedy = PORT_TROUBLE.get(error.errno or 0, (f"cannot be used ({error.strerror})", "choose another"))
        raise CannotServe(f"port {port} on {host} {why}; {remedy}") from error


def _say(line: str) -> None:
    print(f"flexlogger server: {line}", file=sys.stderr, flush=True)
