"""`flexlogger runs push`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption
from flexlogger.cli.runs.table import size
from flexlogger.runs.examine import log_bytes
from flexlogger.runs.find import base_dir


def push_runs(
    what: Annotated[str, typer.Argument(metavar="RUN|DIR", help="A run as elsewhere, or a folder: all runs in it.")],
    to: Annotated[str, typer.Option(help="tcp://host:port of a flexlogger monitor.")],
    keys: Annotated[Path | None, typer.Option(help="NAME.client.key; needed off this machine.")] = None,
    dir: DirOption = None,
) -> None:
    """Send runs to a flexlogger monitor: what trainers that were killed left, or whole runs. What is there is not sent
    again."""
    from flexlogger.mirror.push import push, runs_at
    from flexlogger.net.addresses import address, check_keys
    from flexlogger.net.keys import client_keys

    where = address(to)
    check_keys(where.host, keys)
    secret = client_keys(keys) if keys is not None else None
    for run in runs_at(what, base_dir(dir)):
        with progress(f"sending {run.label}", log_bytes(run.folder)) as advance:
            sent = push(run, str(where), secret, advance)
        print(f"{run.label} ({run.status}): {f'{size(sent)} sent' if sent else 'everything was there'}")
