"""Two network namespaces joined by a wire that can be slowed, thinned and cut, where the kernel lets us make them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NEAR, FAR = "10.77.31.1", "10.77.31.2"


class Wire:
    """Programs run at its near and at its far end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def make(self) -> None:
        """Raises CalledProcessError where that is not allowed."""
        name = self._name
        for end in "ab":
            run("ip", "netns", "add", f"{name}{end}")
        run("ip", "link", "add", "wire", "netns", f"{name}a", "type", "veth", "peer", "wire", "netns", f"{name}b")
        for end, address in (("a", NEAR), ("b", FAR)):
            self._in(end, "ip", "addr", "add", f"{address}/24", "dev", "wire")
        self.back()

    def _in(self, end: str, *words: str) -> None:
        run("ip", "netns", "exec", f"{self._name}{end}", *words)

    def hamper(self, *how: str) -> bool:
        """Delay or lose packets both ways, as `tc netem` says it; False where this kernel has no netem."""
        try:
            for end in "ab":
                self._in(end, "tc", "qdisc", "replace", "dev", "wire", "root", "netem", *how)
        except subprocess.CalledProcessError as error:
            if "qdisc kind is unknown" in error.stderr:
                return False
            raise
        return True

    def cut(self) -> None:
        """Nothing passes; neither end is told."""
        self._in("a", "ip", "link", "set", "wire", "down")

    def back(self) -> None:
        """It can be used again."""
        for end in "ab":
            self._in(end, "ip", "link", "set", "wire", "up")

    def python(self, end: str, script: str, *arguments: Any) -> subprocess.Popen[str]:
        """Run a script at the end "a" (near) or "b" (far)."""
        words = ["ip", "netns", "exec", f"{self._name}{end}", sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def close(self) -> None:
        """Take it down."""
        for end in "ab":
            subprocess.run(["ip", "netns", "del", f"{self._name}{end}"], check=False, capture_output=True)


@contextmanager
def wire() -> Iterator[Wire | None]:
    """A wire; None where namespaces cannot be made here."""
    if os.geteuid() or not (shutil.which("ip") and shutil.which("tc")):
        yield None
        return
    made = Wire(f"flx{os.getpid()}")
    try:
        try:
            made.make()
        except subprocess.CalledProcessError:
            yield None
        else:
            yield made
    finally:
        made.close()


def run(*words: str) -> None:
    """Run a command to its end."""
    subprocess.run(words, check=True, capture_output=True, text=True)
