"""Real dashboard servers for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
