"""`flexlogger meters`."""

from __future__ import annotations

from typing import Annotated

import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.cli.listing import infos_or_json, show_info, show_rows
from flexlogger.meters.catalog import meter_info, meter_types

app = new_app()


@app.command()
def meters(
    name: Annotated[str | None, typer.Argument(help="A meter type; all of them if not given.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the meter types, or show what one takes, returns and can be told."""
    infos = infos_or_json(name, meter_types, meter_info, json)
    if infos is None:
        return
    if name is None:
        show_rows(("meter", "takes", ""), [(info.name, info.takes, info.doc) for info in infos])
        return
    for info in infos:
        outputs = ", ".join(f"{output.name or 'value'} ({output.kind})" for output in info.outputs)
        facts = {"takes": info.takes, "returns": info.returns, "outputs": outputs, "unit": info.unit or "–"}
        show_info(f"{info.name}: {info.doc}", facts, info.options, info.example)
