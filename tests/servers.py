"""Real dashboard servers for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flexlogger.server.process import ServerProcess, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for the whole session; give every test its own env name in it."""
    with start_server(tmp_path_factory.mktemp("envs")) as process:
        yield process


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of the test's own, with no environments but main, that saves every 0.1 s."""
    with start_server(tmp_path / "envs", save_every=0.1) as process:
        yield process


RunFlexlogger = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_flexlogger() -> RunFlexlogger:
    """Run the command line as a user does; returns the ended process with its text."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flexlogger", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)

    return run
