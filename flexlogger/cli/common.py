"""What the commands share."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]


def new_app() -> typer.Typer:
    """Return an empty command: plain help, no completion files, tracebacks as Python shows them."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
