"""`flexlogger check`."""

from __future__ import annotations

from typing import Annotated

import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.cli.listing import as_json
from flexlogger.config.load import load
from flexlogger.config.model import Dashboard
from flexlogger.errors import ConfigError

app = new_app()


@app.command()
def check(
    config: Annotated[str, typer.Argument(help="A YAML file, or presets: loss+acc.")],
    demo: Annotated[bool, typer.Option("--demo", help="Also draw every plot from made-up data.")] = False,
    allow_import: Annotated[
        list[str] | None, typer.Option(help="A package whose classes a dotted meter type may name; repeatable.")
    ] = None,
    server: Annotated[str | None, typer.Option(help="With --demo: the dashboard server.")] = None,
    port: Annotated[int | None, typer.Option(help="With --demo: its port.")] = None,
    json: JsonFlag = False,
) -> None:
    """Check a config without running anything it names: every problem with its line; exit status 1 where there is one.

    With --demo its meters are made, fed with data of the right shape, and drawn on the dashboard server.
    """
    allowed = tuple(allow_import or ())
    try:
        dashboard = load(config, allow_imports=allowed)
    except ConfigError as error:
        print(as_json(list(error.problems)) if json else error)
        raise typer.Exit(1) from None
    url = _drawn(config, allowed, server, port) if demo else None
    if json:
        print(as_json(_plain(dashboard) | ({"url": url} if url else {})))
    else:
        print(_text(config, dashboard) + (f"\ndrawn from made-up data: {url}" if url else ""))


def _drawn(config: str, allowed: tuple[str, ...], server: str | None, port: int | None) -> str:
    from flexlogger.cli.rehearsal import rehearse  # imports torch

    return rehearse(config, allowed, server, port)


def _text(config: str, dashboard: Dashboard) -> str:
    meters = "\n".join(f"  {m.name} → {m.target}" for m in dashboard.meters)
    notes = "".join(f"note: {note}\n" for note in dashboard.remarks)
    return f"{notes}{config}: {len(dashboard.plots)} plots, {len(dashboard.meters)} meters, no problems\n{meters}"


def _plain(dashboard: Dashboard) -> dict[str, object]:
    """What a program wants to know of a dashboard; never its token."""
    return {
        "plots": dashboard.plots,
        "meters": [{"name": m.name, "type": m.type, "target": m.target} for m in dashboard.meters],
        "notes": dashboard.remarks,
    }
