"""One form for the commands that list names and explain one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from flexlogger.catalog import Option


def as_json(value: Any) -> str:
    """Plain data of a struct as indented JSON; sets are sorted so that the text is stable.

    >>> print(as_json({"accepts": frozenset(["b", "a"])}))
    {
      "accepts": [
        "a",
        "b"
      ]
    }
    """
    plain = msgspec.to_builtins(value, order="deterministic", enc_hook=str)
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def show_rows(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; on a terminal it is folded to the width, in a pipe each row is one line."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def show_info(title: str, facts: Mapping[str, str], options: Iterable[Option], example: str) -> None:
    """Print one entry of a catalog: its facts, its options and an example."""
    print(title)
    for name, fact in facts.items():
        print(f"  {name}: {fact}")
    options = list(options)
    if options:
        print("\noptions")
        show_rows(("name", "type", "default", ""), [_option(option) for option in options])
    print(f"\nexample\n{_indent(example)}")


def _option(option: Option) -> tuple[str, str, str, str]:
    default = "required" if option.required else "" if option.default is None else str(option.default)
    choices = f" ({', '.join(map(str, option.choices))})" if 0 < len(option.choices) <= 6 else ""
    return option.name, " or ".join(option.types), default, option.doc + choices


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip("\n").splitlines())


def infos_or_json(
    name: str | None, names: Callable[[], list[str]], info: Callable[[str], Any], json: bool
) -> list[Any] | None:
    """The infos to show, of one name or of all; None where they were printed as JSON already."""
    infos = [info(each) for each in ([name] if name else names())]
    if not json:
        return infos
    print(as_json(infos[0] if name else infos))
    return None
