"""Writes docs/benchmarks.md and its pictures from the kept results."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.driver import ROOT
from bench.peers import PINS
from bench.pictures import draw
from bench.results import Result, Table, Target

PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "img"
FINDINGS = Path(__file__).with_name("findings")
SHOWN = (
    "torch",
    "visdom",
    "torchnet",
    "tensorboard",
    "wandb",
    "trackio",
    "lightning",
    "pytorch-ignite",
    "mlflow",
    "torchinstruments",
)

QUICK = "A quick run, with fewer contenders, sizes and rounds than are described: "

INTRO = """\
# Benchmarks

Written by `make bench` (or `python -m bench --only NAME …`); do not edit. What was found out about a figure stands in
`bench/findings/` and is taken in here. Figures such as 1.2–1.3–1.6 are the lowest, the middle and the highest of the
rounds.
"""


def machine() -> dict[str, str]:
    """Where this was measured."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "machine": f"{len(os.sched_getaffinity(0))} cores of {cpu}, {memory / 2**20:.0f} GB, {platform.system()} "
        f"{platform.release()}, load {os.getloadavg()[0]:.1f} before",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(
            f"{name} {version(name)}" for name in ("flexlogger", "torch", "visdom", "tornado", "msgspec", "numpy")
        ),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def write(results: Sequence[Result]) -> None:
    """Write the page and the pictures of all results; pictures of other tables go."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    drawn = set()
    for result in results:
        for table in result.tables:
            if table.picture is not None:
                draw(table, table.picture, IMAGES / _file(result, table))
                drawn.add(_file(result, table))
    for old in IMAGES.glob("bench-*.png"):
        if old.name not in drawn:
            old.unlink()
    PAGE.write_text(page(results))


def _file(result: Result, table: Table) -> str:
    words = re.findall(r"\w+", f"{result.name} {table.title}".lower().replace("_", " "))
    return f"bench-{'-'.join(words)}.png"


def page(results: Sequence[Result]) -> str:
    """The page as Markdown."""
    parts = [INTRO, "## At a glance\n\n" + _glance(results), _peers(), *map(_section, results)]
    return "\n".join(parts)


def _glance(results: Sequence[Result]) -> str:
    rows = [[result.heading, t.what, t.to_reach, t.measured, verdict(t)] for result in results for t in result.targets]
    return markdown(Table("", ["", "what", "to reach", "measured", "reached"], rows))


def verdict(target: Target) -> str:
    """Whether a target was reached, in a word."""
    return {True: "yes", False: "**no**", None: "not shown"}[target.reached]


def _peers() -> str:
    pins = dict(line.split("==") for line in PINS.read_text().splitlines() if "==" in line)
    named = ", ".join(f"{name} {pins[name]}" for name in SHOWN if name in pins)
    return f"Peers live in an environment of their own, pinned in `bench/peers.txt`: {named}.\n"


def _section(result: Result) -> str:
    parts = [f"## {result.heading}\n", result.how + "\n"]
    where = f"{result.machine.get('machine', '')}; {result.machine.get('versions', '')}"
    measured = f"{result.date}{f', {_duration(result.seconds)}' if result.seconds else ''}; {where}."
    parts.append(f"*{QUICK if result.quick else ''}{measured}*\n")
    for table in result.tables:
        parts += [f"### {table.title}\n", markdown(table)]
        if table.note:
            parts.append(table.note + "\n")
        if table.picture is not None:
            parts.append(f"![{table.picture.title}](img/{_file(result, table)})\n")
    finding = FINDINGS / f"{result.name}.md"
    if finding.exists():
        parts.append("### Findings\n\n" + finding.read_text())
    return "\n".join(parts)


def _duration(seconds: float) -> str:
    """
    >>> _duration(119.7), _duration(3.2)
    ('2:00 minutes', '3 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} minutes" if minutes else f"{rest} s"


def markdown(table: Table) -> str:
    """
    >>> print(markdown(Table("", ["a", "b"], [["1", "2"]])))
    | a | b |
    |---|---|
    | 1 | 2 |
    <BLANKLINE>
    """
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    shown = ["| " + " | ".join(cells) + " |" for cells in lines]
    shown[1] = "|" + "|".join(lines[1]) + "|"
    return "\n".join(shown) + "\n"
