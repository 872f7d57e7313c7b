"""What the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from flexlogger.errors import ValueRefusedError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]


def new_app() -> typer.Typer:
    """Return an empty command: plain help, no completion files, tracebacks as Python shows them."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Let an error say which option was refused."""
    try:
        yield
    except ValueRefusedError as error:
        raise ValueRefusedError(f"{option}: {str(error).removeprefix('keys: ')}") from error
