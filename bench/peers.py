"""The environment that peers live in, made on demand: they pin what we do not want to be pinned to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.driver import ROOT

HERE = ROOT / ".venv-bench"
PINS = Path(__file__).with_name("peers.txt")


def our_python() -> Path:
    """The interpreter of flexlogger's own environment."""
    return Path(sys.executable)


def python() -> Path:
    """The interpreter of the peers' environment; makes it, which takes minutes, where it is not there or outdated."""
    interpreter, stamp = HERE / "bin" / "python", HERE / "installed.txt"
    if not stamp.exists() or stamp.read_text() != PINS.read_text():
        _make(interpreter)
        stamp.write_text(PINS.read_text())
    return interpreter


def _make(interpreter: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(HERE)], check=True)
    (HERE / ".gitignore").write_text("*\n")
    # Both names: current pip reads the second one while it builds visdom, which needs setuptools<81.
    held = {name: f"{os.environ.get(name, '')} {PINS}".strip() for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
    install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "pip==26.3"], check=True)
    subprocess.run([*install, "-r", str(PINS)], check=True, env={**os.environ, **held})
