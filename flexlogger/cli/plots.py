"""`flexlogger plots`."""

from __future__ import annotations

from typing import Annotated

import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.cli.listing import infos_or_json, show_info, show_rows
from flexlogger.plots.catalog import plot_info, plot_types

app = new_app()


@app.command()
def plots(
    name: Annotated[str | None, typer.Argument(help="A plot type; all of them if not given.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the plot types, or show what one draws and can be told."""
    infos = infos_or_json(name, plot_types, plot_info, json)
    if infos is None:
        return
    if name is None:
        show_rows(("plot", "draws", ""), [(info.name, ", ".join(sorted(info.accepts)), info.doc) for info in infos])
        return
    for info in infos:
        show_info(f"{info.name}: {info.doc}", {"draws": ", ".join(sorted(info.accepts))}, info.options, info.example)
