"""`flexlogger server`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.errors import MissingExtraError

app = new_app()


@app.command()
def server(
    host: Annotated[str, typer.Option(help="Address to listen on; this machine's own only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="FLEXLOGGER_PORT", min=0, max=65535, help="0 takes a free one.")] = 8097,
    env_path: Annotated[Path, typer.Option(help="Folder to keep the environments in.")] = Path("~/.flexlogger/envs"),
    save_every: Annotated[float, typer.Option(min=0.05, help="Seconds between saves of what changed.")] = 5.0,
    fetch_assets: Annotated[
        bool, typer.Option("--fetch-assets", help="First fetch the page's scripts, with npm.")
    ] = False,
    lifeline: Annotated[bool, typer.Option("--lifeline", help="Stop when standard input ends.", hidden=True)] = False,
    json: JsonFlag = False,
) -> None:
    """Start the dashboard server; Ctrl-C saves and stops it."""
    from flexlogger.server.address import Serving
    from flexlogger.server.run import CannotServe, serve

    if fetch_assets:
        from flexlogger.cli.assets import fetch_missing

        fetch_missing()

    def ready(serving: Serving) -> None:
        print(msgspec.json.encode(serving).decode() if json else f"flexlogger server: {serving.url}", flush=True)

    try:
        serve(host, port, env_path, save_every, ready, lifeline)
    except MissingExtraError as error:
        raise CannotServe(f"{error} (or: flexlogger doctor --fix)") from error
