"""What a process costs: CPU seconds and memory, from /proc. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int | str = "self") -> float:
    """CPU seconds of a process in user and kernel, with those of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def forget_peak() -> None:
    """Let this process's peak memory start anew from what it has now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The most memory (RSS) this process has had since `forget_peak`, in MB."""
    return _status("VmHWM") / 1000


def rss_mb() -> float:
    """Memory (RSS) of this process, in MB."""
    return _status("VmRSS") / 1000


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return float(line.split()[1]) * 1.024
    raise KeyError(field)
