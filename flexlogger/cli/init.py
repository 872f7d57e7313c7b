"""`flexlogger init`."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.common import new_app
from flexlogger.errors import FlexLoggerError, UnknownNameError, unknown

app = new_app()


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("dashboard.yaml"),
    like: Annotated[str, typer.Option(help="Which whole dashboard to start from; see the list in an error.")] = (
        "classification"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a first config to change as you like, a copy of one of the package's own."""
    folder = files("flexlogger.configs")
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    if like not in names:
        raise UnknownNameError(unknown("config", like, names))
    if file.exists() and not force:
        print(f"flexlogger init: {file} is there already; give another name, or --force to replace it", file=sys.stderr)
        raise typer.Exit(1)
    try:
        file.write_text((folder / f"{like}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise FlexLoggerError(f"{file}: cannot write it ({error.strerror})") from error
    print(f"wrote {file}; check it with: flexlogger check {file}")
