"""Starting a server in this process: what is refused is refused here, before anything heavy is imported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from flexlogger.errors import FlexLoggerError
from flexlogger.server.address import Serving, is_loopback
from flexlogger.server.envs import Environments
from flexlogger.server.lean import leave_out_client


class CannotServe(FlexLoggerError):
    """The server cannot start; the message is one line with what to do."""


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
    process that started it. Raises `CannotServe`, `MissingExtraError` and `EnvStoreError`.
    """
    if not is_loopback(host):
        raise CannotServe(
            f"refusing to listen on {host}: there is no login yet, so this server is for this machine only; "
            f"from elsewhere use a tunnel: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE"
        )
    logging.basicConfig(format="flexlogger server: %(message)s")  # this process is the server's: lines go to stderr
    leave_out_client()
    from flexlogger.server import loop  # tornado and visdom, which had to be made lean first

    try:
        sockets = loop.bind(host, port)
    except OSError as error:
        why, remedy = loop.TROUBLE.get(error.errno or 0, (f"cannot be used ({error.strerror})", "choose another"))
        raise CannotServe(f"port {port} on {host} {why}; {remedy}") from error
    state = Environments(folder.expanduser().absolute(), logging.getLogger("flexlogger.server").warning)
    try:
        asyncio.run(loop.serve(sockets, state, save_every, ready, lifeline))
    finally:
        state.close()
