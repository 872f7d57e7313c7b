"""`flexlogger assets`."""

from __future__ import annotations

import sys

import msgspec
import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.server import assets

app = new_app()


@app.command()
def fetch(json: JsonFlag = False) -> None:
    """Fetch the dashboard page's scripts with npm, so that no browser needs the internet. Done once per version."""
    fetch_missing()
    if json:
        print(msgspec.json.encode({"static": str(assets.STATIC), "digest": assets.digest()}).decode())
    else:
        print(f"the dashboard's assets are in {assets.STATIC}")


def fetch_missing() -> None:
    """Fetch the assets where they are missing or of another version, with a line of progress per package."""
    if assets.ready():
        return
    try:
        assets.fetch(progress=lambda line: print(line, file=sys.stderr, flush=True))
    except assets.AssetError as error:
        print(f"flexlogger assets: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
