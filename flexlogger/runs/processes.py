"""Which process on which machine, and whether it is gone for sure."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

PROC = Path("/proc")


class Process(msgspec.Struct, frozen=True):
    """A process that no other one can be taken for.

    `boot` names the machine's boot and pid namespace: numbers of processes mean something only where it is the same.
    `pid_start` tells a process from a later one with its number. Both are empty where the system does not tell.
    """

    host: str
    boot: str
    pid: int
    pid_start: str


def this_process() -> Process:
    """Who we are."""
    return Process(socket.gethostname(), _boot(), os.getpid(), started(os.getpid()) or "")


def is_gone(process: Process) -> bool:
    """True where `process` ran on this machine and has ended; False where it lives or nobody here can know.

    >>> is_gone(this_process())
    False
    """
    if (process.host, process.boot) != (socket.gethostname(), _boot()):
        return False
    if process.pid_start:
        return started(process.pid) != process.pid_start
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def started(pid: int) -> str | None:
    """When a process started, in the system's own unit; None where there is none, or it is only a zombie."""
    try:
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if after_name[0] in "ZX" else after_name[19]


def _boot() -> str:
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(PROC / 'self/ns/pid')}"
    except OSError:
        return ""
