"""`flexlogger replay`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from flexlogger.cli.common import new_app
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption, PortOption, RunArgument, ServerOption, TokenOption
from flexlogger.replay.draw import Replayed, open_replay
from flexlogger.runs.examine import log_bytes

app = new_app()


@app.command("replay")
def replay_run(
    run: RunArgument,
    to: Annotated[str, typer.Option(help="visdom, terminal, csv, jsonl, tensorboard, wandb or mlflow.")] = "visdom",
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run has ended, or Ctrl-C.")] = False,
    env: Annotated[str | None, typer.Option(help="Another environment than the run's own.")] = None,
    uid: Annotated[str | None, typer.Option(help="Other window ids than the run's own.")] = None,
    server: ServerOption = None,
    port: PortOption = None,
    token: TokenOption = None,
    dir: DirOption = None,
) -> None:
    """Draw a run again from its log: the windows it had, also of one that still runs or that crashed."""
    replay = open_replay(run, to=to, env=env, uid=uid, server=server, port=port, token=token, dir=dir, tell=_tell)
    with _until_interrupted() if follow else nullcontext() as stop:
        with progress("reading", log_bytes(replay.found.folder)) as advance:
            replay.catch_up(advance)
        if stop is not None:
            replay.follow(stop)
    told = replay.close()
    print(summary(told))
    if not told.complete:
        _tell("the dashboard did not take everything; run this again when it is back")
        raise typer.Exit(1)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Ctrl-C is how one ends it: what is there is shown, and counted. A second one does not wait for that."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def summary(told: Replayed) -> str:
    """Say in a line what was drawn.

    >>> from flexlogger.runs.segment import Damage
    >>> summary(Replayed("p/r", 1200, 2, Damage(torn=1), "crashed", url="http://localhost:8097/env/p"))
    'p/r (crashed): 1,200 records of 2 segments, skipped what is damaged (1 torn); http://localhost:8097/env/p'
    """
    segments = f"{told.segments} segment{'s' * (told.segments != 1)}"
    damage = f", skipped what is damaged ({told.damage})" if told.damage else ""
    url = f"; {told.url}" if told.url else ""
    return f"{told.run} ({told.status}): {told.records:,} records of {segments}{damage}{url}"


def _tell(message: str) -> None:
    print(f"flexlogger replay: {message.removeprefix('flexlogger: ')}", file=sys.stderr)
