"""What keeps one test from seeing another, or the developer's own machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flexlogger import faults

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere: small tensors, many processes
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as `nohup make test &` has it: our children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and none fails for being slow: a red run says something about the code.
# New ones are looked for with --hypothesis-profile=search.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("steady"), derandomize=False, max_examples=2000)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No FLEXLOGGER_* setting of the developer's reaches a test, and what a test logs goes into its own folder."""
    for name in os.environ:
        if name.startswith("FLEXLOGGER_") and name != "FLEXLOGGER_REQUIRE_BROWSER":
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEXLOGGER_DIR", str(tmp_path / "runs"))


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Keep torch from using more cores than the tests that run beside it leave."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_swallowed() -> Iterator[None]:
    """What production swallows so that training goes on fails a test; one that means it calls `faults.forget()`."""
    faults.forget()
    yield
    seen = list(faults.seen)
    faults.forget()
    if seen:
        raise seen[0]
