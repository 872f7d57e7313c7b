"""Where a run takes place: repository, machine, versions, command line. May take a second: never in training."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from flexlogger.runs.processes import this_process
from flexlogger.runs.secrets import hide_command

GIT_S = 5.0
"""The longest that git may take."""

LIBRARIES = {
    "flexlogger": "flexlogger",
    "torch": "torch",
    "numpy": "numpy",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "torchmetrics": "torchmetrics",
    "torchnet": "torchnet",
    "visdom": "visdom",
    "lightning": "lightning",
    "pytorch_lightning": "pytorch-lightning",
    "ignite": "pytorch-ignite",
    "transformers": "transformers",
    "datasets": "datasets",
    "accelerate": "accelerate",
    "timm": "timm",
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "pandas": "pandas",
    "PIL": "pillow",
}
"""Modules whose version is recorded where they are imported, and the packages they come from."""


def surroundings() -> dict[str, Any]:
    """What a run's card says of this process, under the names it has there."""
    process = this_process()
    return {
        "host": process.host,
        "boot": process.boot,
        "pid": process.pid,
        "pid_start": process.pid_start,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": hide_command(sys.orig_argv),
        "git": git_state(script_folder()),
        "libraries": libraries(),
    }


def libraries() -> dict[str, str]:
    """The versions of the main libraries that are imported.

    >>> "flexlogger" in libraries(), "numpy" in libraries()
    (True, True)
    """
    found = {module: _version(module, package) for module, package in LIBRARIES.items() if module in sys.modules}
    return {module: version for module, version in found.items() if version}


def _version(module: str, package: str) -> str:
    told = vars(sys.modules[module]).get("__version__")  # the module's own word: no lookup on disk, no lazy import
    if isinstance(told, str):
        return str(told)
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def script_folder() -> Path:
    """Where the script lies that is run; the working directory where there is none."""
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    return script.resolve().parent if script is not None and script.is_file() else Path.cwd()


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit, branch (None where detached) and whether tracked files are changed, of the repository around `folder`.

    None without git, outside a repository, before its first commit, or where git takes longer than `GIT_S` seconds.
    """
    command = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=GIT_S)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    lines = ended.stdout.splitlines()
    told = dict(line[len("# branch.") :].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = told.get("oid", "(initial)"), told.get("head", "(detached)")
    if ended.returncode != 0 or commit == "(initial)":
        return None
    dirty = any(not line.startswith("#") for line in lines)
    return {"commit": commit, "branch": None if branch == "(detached)" else branch, "dirty": dirty}
