"""`flexlogger monitor`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.common import naming, new_app
from flexlogger.cli.runs.options import DirOption, PortOption, ServerOption, TokenOption
from flexlogger.errors import RunLogError, ValueRefusedError, unknown
from flexlogger.mirror.receiver import Receiver
from flexlogger.net.addresses import address, is_loopback
from flexlogger.net.keys import HostKeys, host_keys
from flexlogger.replay.following import KINDS, Following
from flexlogger.runs.find import base_dir
from flexlogger.sinks.where import server_of, token_of

CLOSE_S = 10.0

app = new_app()


@app.command()
def monitor(
    listen: Annotated[str, typer.Option(help="Where trainers send to; 0.0.0.0 is every address of this machine.")] = (
        "tcp://127.0.0.1:5555"
    ),
    keys: Annotated[Path | None, typer.Option(help="NAME.host.key; needed off this machine.")] = None,
    dir: DirOption = None,
    sinks: Annotated[
        str, typer.Option(help="What draws them: visdom, terminal, both with a comma, or none.")
    ] = "visdom",
    server: ServerOption = None,
    port: PortOption = None,
    token: TokenOption = None,
) -> None:
    """Keep the runs of trainers with pipe: tcp://… here, and draw each of them; Ctrl-C ends it.

    A run that comes again goes on. What is missing from a trainer that was killed: flexlogger runs push."""
    with naming("--listen"):
        where = address(listen)
    kinds = _kinds(sinks)
    secret = _keys(keys, where.host)
    base = _folder(base_dir(dir).absolute())
    following = Following(base, kinds, server_of(server, port), token_of(token), _tell)
    try:
        receiver = Receiver(str(where), base, secret, following if kinds else None)
    except BaseException:
        following.close(0.0)
        raise
    _tell(f"listening on {receiver.endpoint}, keeping runs in {base}")
    _until_told()
    receiver.stop()
    shown = following.close(CLOSE_S)
    _tell(_summary(receiver))
    if not shown:
        _tell("the dashboard did not take everything; flexlogger replay draws a run again")
        raise typer.Exit(1)


def _kinds(sinks: str) -> Sequence[str]:
    kinds = [] if sinks == "none" else [word.strip() for word in sinks.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise ValueRefusedError(f"--sinks: {unknown('sink', kind, (*KINDS, 'none'))}")
    return kinds


def _keys(path: Path | None, host: str) -> HostKeys | None:
    if path is not None:
        with naming("--keys"):
            return host_keys(path)
    if not is_loopback(host):
        raise ValueRefusedError(
            f"--listen: {host} can be reached from other machines, which needs keys; make them with: flexlogger keys "
            "NAME, and say --keys NAME.host.key"
        )
    return None


def _folder(base: Path) -> Path:
    """The folder that runs are kept in; refused here rather than at the first run."""
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunLogError(
            f"{base}: cannot be made ({error.strerror or error}); name another folder with --dir"
        ) from error
    if not os.access(base, os.W_OK | os.X_OK):
        raise RunLogError(f"{base}: cannot be written; name another folder with --dir")
    return base


def _until_told() -> None:
    """Wait for Ctrl-C or SIGTERM: what is there is shown then. A second one does not wait for that."""
    over = threading.Event()

    def ended(number: int, _: object) -> None:
        over.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ended)
    over.wait()


def _summary(receiver: Receiver) -> str:
    count = len(receiver.runs)
    refused = (
        "; refused: " + ", ".join(f"{why} ({n})" for why, n in receiver.refused.items()) if receiver.refused else ""
    )
    return f"{count} run{'s' * (count != 1)}, {receiver.received:,} bytes of log{refused}"


def _tell(message: str) -> None:
    print(f"flexlogger monitor: {message}", flush=True)
