"""The other side of a StateMonitor in a process of its own, and what it has seen."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def process(script: str, *arguments: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


KEEPER = """
    import sys
    from flexlogger.monitor.state_monitor import StateMonitor
    host = StateMonitor("host", port=int(sys.argv[1])).start()
    with open(sys.argv[2], "a", buffering=1) as file:
        for state in host:
            print(state["n"], file=file)
"""


def lines_of(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def wait_for(told: Callable[[], bool], what: str) -> None:
    waiting = threading.Event()
    for _ in range(3000):
        if told():
            return
        waiting.wait(0.01)
    raise AssertionError(f"not within 30 s: {what}")
