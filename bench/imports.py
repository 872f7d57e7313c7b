"""How long the first import and the command line make their user wait."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.driver import ROOT, as_installed
from bench.figures import Spread, short
from bench.results import Picture, Result, Table, Target
from bench.session import Session

NAME = "imports"
COMMANDS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import torch, flexlogger": ["-c", "import torch, flexlogger"],
    "… and FlexLogger": ["-c", "import torch; from flexlogger import FlexLogger"],
    "flexlogger --help": ["-m", "flexlogger", "--help"],
    "flexlogger runs list": ["-m", "flexlogger", "runs", "list", "--dir", "/nonexistent"],
    "StateMonitor": ["-c", "from flexlogger import StateMonitor; import sys; assert 'torch' not in sys.modules"],
}

HOW = """\
The whole life of a fresh interpreter, files in the page cache, in turns. `flexlogger` imports its parts when they are
first named; *and FlexLogger* is with all that a training loop needs. `runs list` has no runs to list; StateMonitor is
imported without torch, as on a machine that only watches."""


def run(session: Session) -> Result:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    warm, rounds = session.pick((1, 20), (0, 1))  # the first brings the files into the cache
    for turn in range(warm + rounds):
        for name, arguments in COMMANDS.items():
            session.tell(f"round {turn + 1}: {name}")
            seconds = _run(arguments)
            if turn >= warm:
                times[name].append(seconds * 1000)
    rows = [[name, str(Spread.of(figures))] for name, figures in times.items()]
    return Result(
        NAME,
        "Imports",
        HOW,
        session.quick,
        [Table("From start to end", ["", "ms"], rows, picture=Picture("A fresh interpreter", "ms", ["ms"]))],
        [
            _over_torch("import flexlogger over import torch", "import torch, flexlogger", times),
            _over_torch("from flexlogger import FlexLogger over import torch", "… and FlexLogger", times),
            _whole("flexlogger --help", 250, times),
            _whole("StateMonitor", 200, times),
        ],
    )


def _run(arguments: list[str]) -> float:
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=as_installed())
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    return seconds


def _over_torch(what: str, name: str, times: dict[str, list[float]]) -> Target:
    more = Spread.of([with_us - torch for with_us, torch in zip(times[name], times["import torch"], strict=True)])
    return Target(
        what, "≤ 60 ms", f"{short(more.middle)} ms ({more})", more.middle <= 60 if len(times[name]) > 1 else None
    )


def _whole(name: str, limit: int, times: dict[str, list[float]]) -> Target:
    spread = Spread.of(times[name])
    return Target(name, f"≤ {limit} ms", f"{spread} ms", spread.middle <= limit)
