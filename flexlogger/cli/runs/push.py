"""`flexlogger runs push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexlogger.cli.common import JsonFlag, naming
from flexlogger.cli.listing import as_json
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption
from flexlogger.cli.runs.table import size
from flexlogger.errors import ValueRefusedError
from flexlogger.runs.examine import log_bytes
from flexlogger.runs.find import FoundRun, base_dir

if TYPE_CHECKING:
    from flexlogger.net.addresses import Address
    from flexlogger.net.keys import ClientKeys


def push_runs(
    what: Annotated[str, typer.Argument(metavar="RUN|DIR", help="A run as elsewhere, or a folder: all runs in it.")],
    to: Annotated[str, typer.Option(help="tcp://host:port of a flexlogger monitor.")],
    keys: Annotated[Path | None, typer.Option(help="NAME.client.key; needed off this machine.")] = None,
    json: JsonFlag = False,
    dir: DirOption = None,
) -> None:
    """Send runs to a flexlogger monitor: what trainers that were killed left, or whole runs. What is there is not sent
    again."""
    from flexlogger.mirror.push import push, runs_at
    from flexlogger.net.addresses import address

    with naming("--to"):
        where = address(to)
    secret = _secret(keys, where)
    told: list[dict[str, Any]] = []
    for run in runs_at(what, base_dir(dir)):
        with progress(f"sending {run.label}", log_bytes(run.folder)) as advance:
            sent = push(run, str(where), secret, advance)
        told.append({"run": run.label, "status": run.status, "sent": sent})
        if not json:
            print(_line(run, sent))
    if json:
        print(as_json(told))


def _line(run: FoundRun, sent: int) -> str:
    return f"{run.label} ({run.status}): {f'{size(sent)} sent' if sent else 'everything was there'}"


def _secret(keys: Path | None, where: Address) -> ClientKeys | None:
    from flexlogger.net.addresses import is_loopback
    from flexlogger.net.keys import client_keys

    if keys is not None:
        with naming("--keys"):
            return client_keys(keys)
    if not is_loopback(where.host):
        raise ValueRefusedError(
            f"--to: {where} leaves this machine, which needs keys: say --keys NAME.client.key, the file that "
            "flexlogger keys NAME made beside the monitor's"
        )
    return None
