"""Ports for servers that are not there yet, or that come back where they were."""

from __future__ import annotations

import random
import socket
from pathlib import Path

FIRST = 10_000
EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
"""From here on the kernel hands out ports to whoever connects: one of them could be gone before it is listened on."""


def free_port() -> int:
    """A port on loopback that nobody listens on, and that no connection is given as its own."""
    while True:
        with socket.socket() as probe:
            port = random.SystemRandom().randrange(FIRST, EPHEMERAL)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
