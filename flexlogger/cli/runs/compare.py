"""`flexlogger runs compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from flexlogger.cli.common import JsonFlag
from flexlogger.cli.listing import as_json
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption, PortOption, RunsArgument, ServerOption, TokenOption
from flexlogger.cli.runs.table import print_table
from flexlogger.runs.examine import log_bytes
from flexlogger.runs.find import FoundRun, base_dir, find_run
from flexlogger.sinks.where import server_of, token_of

if TYPE_CHECKING:
    from flexlogger.replay.compare import Comparison
    from flexlogger.sinks.wire import Address


def compare_runs(
    runs: RunsArgument,
    env: Annotated[str | None, typer.Option(help="The environment to draw in; else one of the runs' ids.")] = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Only print what differs.")] = False,
    json: JsonFlag = False,
    server: ServerOption = None,
    port: PortOption = None,
    token: TokenOption = None,
    dir: DirOption = None,
) -> None:
    """Draw the curves of several runs over each other, and print how their configs differ and what they came to."""
    from flexlogger.replay import compare  # imports numpy

    found = list({run.folder: run for run in (find_run(spec, base_dir(dir)) for spec in runs)}.values())
    comparison = compare.compare(found)
    if not json:
        print_table(["", *comparison.labels], comparison.rows())
    url = None
    if not no_dashboard:
        url = _draw(comparison, found, env or compare.env_of(found), server_of(server, port), token_of(token))
    if json:
        columns = {"runs": comparison.runs, "labels": comparison.labels}
        print(as_json(columns | {"config": comparison.config, "summary": comparison.summary, "url": url}))
    elif url is not None:
        print(f"drawn over each other: {url}")


def _draw(comparison: Comparison, found: list[FoundRun], env: str, server: Address, token: str | None) -> str:
    from flexlogger.replay import compare
    from flexlogger.replay.where import checked, reached
    from flexlogger.sinks.visdom import HttpSender

    checked("env", env)
    sender = HttpSender(server, token)
    with reached(server):
        sender.open()
    with progress("reading", sum(log_bytes(run.folder) for run in found)) as advance:
        windows = compare.windows(comparison, found, advance)
    with reached(server):
        compare.send(windows, sender, env)
    sender.close()
    return f"{server}/env/{quote(env)}"
