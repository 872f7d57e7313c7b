"""`flexlogger presets`."""

from __future__ import annotations

from typing import Annotated

import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.cli.listing import infos_or_json, show_rows
from flexlogger.config.presets import preset_info, preset_names

app = new_app()


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="A preset, or several: loss+acc. All if not given.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the presets, or show what one declares: its plots, its meters and what each takes."""
    infos = infos_or_json(name, preset_names, preset_info, json)
    if infos is None:
        return
    if name is not None:
        for info in infos:
            print(info)
        return
    rows = [(info.expression, ", ".join(meter.name for meter in info.meters), info.doc) for info in infos]
    show_rows(("preset", "meters", ""), rows)
