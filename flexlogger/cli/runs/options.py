"""What the commands about runs are all told in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="An id or the start of one, PROJECT/ID, a name, a folder, or: latest.")
]
RunsArgument = Annotated[
    list[str], typer.Argument(metavar="RUN…", help="Ids or the start of them, PROJECT/ID, names, folders, or: latest.")
]
DirOption = Annotated[
    Path | None, typer.Option("--dir", help="The folder of all projects; FLEXLOGGER_DIR, or ./flexlogger_runs.")
]
ServerOption = Annotated[
    str | None, typer.Option(help="The dashboard server; FLEXLOGGER_SERVER, or the one on this machine.")
]
PortOption = Annotated[int | None, typer.Option(help="Its port; FLEXLOGGER_PORT, or 8097.", min=1, max=65535)]
TokenOption = Annotated[str | None, typer.Option(help="Its token; FLEXLOGGER_TOKEN is not seen by others.")]
