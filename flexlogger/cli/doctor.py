"""`flexlogger doctor`."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from flexlogger.cli.common import JsonFlag, new_app
from flexlogger.server import assets

app = new_app()

BUILD_CONSTRAINT = "setuptools<81\n"
"""visdom's setup.py imports pkg_resources, which newer setuptools do not have."""

SIGNS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


class Finding(msgspec.Struct, frozen=True):
    """What one check found: ``bad`` keeps flexlogger or its server from working, ``note`` is good to know."""

    what: str
    state: Literal["ok", "note", "bad"]
    detail: str
    remedy: str = ""


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install and fetch what is missing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Check this installation and say what to do about what is wrong; exit status 1 where something is."""
    if fix:
        _fix()
    findings = examine()
    if json:
        print(msgspec.json.encode(findings).decode())
    else:
        print("\n".join(_line(finding) for finding in findings))
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Look at everything; nothing is imported, installed or fetched."""
    here = sys.version_info
    return [
        Finding("python", "ok" if here >= (3, 11) else "bad", f"{here[0]}.{here[1]}.{here[2]}", "install Python 3.11"),
        _installed("torch", (2, 6), "bad", "pip install torch"),
        _installed("visdom", (0, 2, 4), "bad", "flexlogger doctor --fix"),
        _installed("tornado", (6, 5), "bad", "flexlogger doctor --fix"),
        _installed("torchnet", (0, 0, 4), "note", "flexlogger doctor --fix, if you use torchnet's own meters"),
        _installed(
            "torchmetrics", (1, 4), "note", "pip install 'flexlogger[torchmetrics]', if your configs name its classes"
        ),
        _assets(),
        _port(),
        _run_folder(),
        _browser(),
    ]


def _installed(name: str, floor: tuple[int, ...], state: Literal["note", "bad"], remedy: str) -> Finding:
    wanted = ".".join(map(str, floor))
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, state, f"not installed; {wanted} or newer is expected", remedy)
    if tuple(map(int, re.findall(r"\d+", found)[: len(floor)])) < floor:
        return Finding(name, state, f"{found}; {wanted} or newer is expected", remedy)
    return Finding(name, "ok", found)


def _assets() -> Finding:
    if assets.ready():
        return Finding("assets", "ok", str(assets.STATIC))
    npm = "npm is here" if shutil.which("npm") else "npm is not on the PATH; install Node.js first"
    return Finding("assets", "bad", f"the dashboard page's scripts are missing ({npm})", assets.COMMAND)


def _port() -> Finding:
    given = os.environ.get("FLEXLOGGER_PORT", "8097")
    if not given.isdecimal() or not 0 < int(given) < 2**16:
        return Finding(
            "port", "bad", f"FLEXLOGGER_PORT is {given!r}", "set it to a number from 1 to 65535, or unset it"
        )
    port = int(given)
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        return Finding(
            "port", "note", f"something listens on {port}: a dashboard that runs already?", "--port 0 finds a free one"
        )
    return Finding("port", "ok", f"{port} is free")


def _run_folder() -> Finding:
    folder = Path(os.environ.get("FLEXLOGGER_DIR", "flexlogger_runs")).absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("runs", "ok", f"{folder} can be written")
    return Finding("runs", "bad", f"{folder} cannot be written", "set FLEXLOGGER_DIR to a folder of yours")


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found:
        return Finding("chromium", "ok", found)
    return Finding(
        "chromium", "note", "not found; only screenshots and browser tests need it", "install your system's package"
    )


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy and finding.state != "ok" else ""
    return f"{SIGNS[finding.state]}  {finding.what:12}  {finding.detail}{remedy}"


def _fix() -> None:
    missing = [
        finding.what
        for finding in examine()
        if finding.state != "ok" and finding.remedy.startswith("flexlogger doctor")
    ]
    if missing:
        _install(requirements(missing))
    if shutil.which("npm"):
        from flexlogger.cli.assets import fetch_missing

        fetch_missing()


def requirements(names: list[str]) -> list[str]:
    """Return what our own metadata asks for under `names`.

    >>> requirements(["tornado"])
    ['tornado>=6.5']
    """
    declared = {line.partition(";")[0].strip() for line in metadata.requires("flexlogger") or ()}
    return sorted(line for line in declared if re.split(r"[<>=!~\[ ]", line)[0] in names)


def _install(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder, "build-constraint.txt")
        constraint.write_text(BUILD_CONSTRAINT)
        command = [sys.executable, "-m", "pip", "install", *wanted]
        print(f"flexlogger doctor: {' '.join(command)}   (built with {BUILD_CONSTRAINT.strip()})", file=sys.stderr)
        done = subprocess.run(command, env=_constrained(constraint), stdout=sys.stderr)
    if done.returncode:
        print("flexlogger doctor: pip failed, its own words are above", file=sys.stderr)
        raise typer.Exit(1)


def _constrained(constraint: Path) -> dict[str, str]:
    """Return this environment with the constraint added to the user's, under the name that the installed pip heeds."""
    pip = tuple(map(int, metadata.version("pip").split(".")[:2]))
    name = "PIP_BUILD_CONSTRAINT" if pip >= (25, 3) else "PIP_CONSTRAINT"
    return {**os.environ, name: f"{os.environ.get(name, '')} {constraint}".strip()}
