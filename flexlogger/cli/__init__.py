"""The `flexlogger` command: one module per sub-command, imported only when it is run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Protocol

from flexlogger.errors import FlexLoggerError, unknown

COMMANDS = {
    "server": ("flexlogger.cli.server", "start the dashboard server"),
    "demo": ("flexlogger.cli.demo", "train a small net on handwritten digits and watch it"),
    "init": ("flexlogger.cli.init", "write a first config to start from"),
    "check": ("flexlogger.cli.check", "check a config; with --demo draw it from made-up data"),
    "schema": ("flexlogger.cli.schema", "print the JSON Schema of a config, for editors"),
    "runs": ("flexlogger.cli.runs", "list, show, compare, export, push or delete runs"),
    "replay": ("flexlogger.cli.replay", "draw a run again from its log"),
    "report": ("flexlogger.cli.report", "write a run to one file that any browser opens"),
    "monitor": ("flexlogger.cli.monitor", "keep and draw the runs of trainers on other machines"),
    "keys": ("flexlogger.cli.keys", "make the keys for connections between machines"),
    "presets": ("flexlogger.cli.presets", "list the presets, or show one"),
    "meters": ("flexlogger.cli.meters", "list the meter types, or show one"),
    "plots": ("flexlogger.cli.plots", "list the plot types, or show one"),
    "assets": ("flexlogger.cli.assets", "fetch the dashboard page's scripts for offline use"),
    "doctor": ("flexlogger.cli.doctor", "check this installation; with --fix mend it"),
}
"""Name → (module, what it does). The module holds `app`, a `typer.Typer`; nothing is imported to print this list."""


class Runnable(Protocol):
    """What a command's module calls `app`."""

    def __call__(self, *, args: Sequence[str], prog_name: str) -> object: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 0 done, 1 failed, 2 not understood.

    >>> main(["sever"])
    2
    """
    name, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    if name in ("", "-h", "--help"):
        print(_overview())
        return 0 if name else 2
    if name == "--version":
        print(_version())
        return 0
    if name not in COMMANDS:
        print(f"flexlogger: {unknown('command', name, COMMANDS)}", file=sys.stderr)
        return 2
    return _run(name, rest)


def _run(name: str, rest: Sequence[str]) -> int:
    app: Runnable = importlib.import_module(COMMANDS[name][0]).app
    try:
        app(args=rest, prog_name=f"flexlogger {name}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except FlexLoggerError as error:
        print(f"flexlogger {name}: {error}", file=sys.stderr)
        return 1
    return 0


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(["usage: flexlogger COMMAND [OPTIONS]   (flexlogger COMMAND --help tells more)", "", *lines])


def _version() -> str:
    from importlib.metadata import version

    return f"flexlogger {version('flexlogger')}"
