"""`flexlogger keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.common import new_app

app = new_app()


@app.command()
def keys(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="What the two files are called; may have a folder.")],
) -> None:
    """Make the keys for connections between machines: NAME.host.key for the one that listens, NAME.client.key for the
    trainers. Who has no client key is not let in, and nobody reads along."""
    from flexlogger.net.keys import make_keys

    host, client = make_keys(name)
    print(f"{host}  stays on the machine that listens: flexlogger monitor --keys {host}")
    print(f"{client}  goes to the trainers: keys: {client} beside pipe: tcp://…")
