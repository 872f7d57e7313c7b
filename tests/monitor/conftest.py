"""A host for those tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexlogger.monitor.state_monitor import StateMonitor


@pytest.fixture
def host() -> Iterator[StateMonitor]:
    with StateMonitor(mode="host", port=0) as monitor:
        yield monitor
