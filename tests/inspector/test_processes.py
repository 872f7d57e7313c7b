"""Processes that die, hang, raise and fall behind; programs that end in every way."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from flexlogger import ParallelHandler
from flexlogger.inspector import process as processes
from tests import warm
from tests.inspector import callbacks
from tests.inspector.callbacks import Notes, read, seen
from tests.processes import Process

ROOT = Path(__file__).parents[2]


def step(model: nn.Module) -> None:
    model(torch.randn(2, 4)).sum().backward()


def tracked(callback: Callable[..., Any], **settings: Any) -> tuple[ParallelHandler, nn.Module, int]:
    """A handler with one process, its model, and the process's number in the system."""
    model = nn.Linear(4, 3)
    parallel = ParallelHandler(callback, **settings)
    parallel.track_model(-1, {"model": model})
    return parallel, model, parallel.status()[0]["pid"]


def ended(pid: int, timeout: float = 60.0) -> bool:
    """Wait until a process has ended, without collecting its status."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)


def wait_for(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# ---- the process


@pytest.mark.parametrize("how", ["by itself", "killed"])
def test_a_process_that_dies_is_told_once_and_training_goes_on(how: str, caplog: pytest.LogCaptureFixture) -> None:
    parallel, model, pid = tracked(callbacks.dies if how == "by itself" else callbacks.ignores)
    step(model)
    if how == "killed":
        os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    for _ in range(3):
        step(model)
    assert not parallel.is_alive()
    assert not parallel.stop()
    what = "ended with status 7" if how == "by itself" else "was killed by SIGKILL"
    assert caplog.text.count(f"the inspector's process 0 {what}") == 1
    assert len(caplog.records) == 1
    assert not model._forward_pre_hooks


def test_a_process_that_hangs_is_ended_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    parallel, model, pid = tracked(callbacks.hangs, timeout=0.3)
    for _ in range(2):
        step(model)
    assert ended(pid)
    step(model)
    assert not parallel.stop()
    (record,) = caplog.records
    assert (
        "hung: a callback did not come back within 0.3 s; 3 tensors that it had not begun with are lost"
        in record.message
    )


def test_a_process_that_hangs_at_the_end_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    parallel, model, _ = tracked(callbacks.hangs, timeout=0.3)
    step(model)
    assert not parallel.stop()
    assert "hung: a callback did not come back within 0.3 s" in caplog.text


def test_a_process_that_the_system_has_stopped_is_killed_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    parallel, _, pid = tracked(callbacks.ignores, timeout=0.3)
    os.kill(pid, signal.SIGSTOP)
    assert not parallel.stop()
    assert ended(pid)
    assert "did nothing for more than 0.3 s, as a stopped one does, and was ended" in caplog.text


def test_a_process_that_the_system_has_stopped_is_told_while_training_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.1)
    parallel, model, pid = tracked(callbacks.ignores, timeout=0.3)
    os.kill(pid, signal.SIGSTOP)
    step(model)

    def is_told() -> bool:
        step(model)
        return bool(caplog.records)

    wait_for(is_told)
    assert not parallel.is_alive()
    assert not parallel.stop()
    (record,) = caplog.records
    assert "process 0 did nothing for more than 0.3 s, as a stopped one does, and was ended; " in record.message
    assert "tensors that it had not begun with are lost" in record.message
    assert not model._forward_pre_hooks


def test_a_process_is_not_taken_for_stopped_while_it_rests_or_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: now))
    parallel, model, pid = tracked(callbacks.ignores, timeout=30.0)
    process, outbox = parallel._outboxes[0]
    step(model)
    wait_for(lambda: process.status()["waiting"] == 0)
    os.kill(pid, signal.SIGSTOP)
    now = 100.0  # it had nothing to do for longer than a callback may last
    outbox.send("one", 1, torch.zeros(3))
    outbox.send("other", 1, torch.zeros(3))
    step(model)
    now = 129.0
    process._take_in(1)  # heard between two steps, as by status()
    now = 150.0
    step(model)
    assert parallel.is_alive()
    assert not caplog.records
    os.kill(pid, signal.SIGKILL)  # what it would report now was heard already
    assert not parallel.stop()


def test_a_callback_that_raises_is_told_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    parallel = ParallelHandler(callbacks.raises, callbacks.raises_at_the_end)
    model = nn.Linear(4, 3)
    parallel.track_model(-1, {"model": model}, sources="outputs")
    for _ in range(5):
        step(model)
    status = parallel._outboxes[0][0]
    assert parallel.stop()
    assert status.errors == {"callback_onrun": 5, "callback_onclosing": 1}
    assert caplog.text.count("LookupError: no such colour") == 1
    assert 'callbacks.py", line' in caplog.text
    assert caplog.text.count("LookupError: no such shelf") == 1


def test_a_callback_cannot_end_its_process_by_exiting(caplog: pytest.LogCaptureFixture) -> None:
    parallel, model, _ = tracked(callbacks.leaves)
    step(model)
    step(model)
    process = parallel._outboxes[0][0]
    assert parallel.stop()
    assert process.errors == {"callback_onrun": 4}
    assert "SystemExit: that is all" in caplog.text


# ---- the memory


def test_what_there_is_no_room_for_is_dropped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Four tensors fit, and six are sent at a time: none has its turn again before all had it."""
    size = 64 * 1024
    layers = {name: nn.Identity() for name in "abcdef"}
    notes = Notes(tmp_path, pause=0.02)
    parallel = ParallelHandler(notes.onrun, notes.onclosing, capacity=4 * (size + 1024))
    parallel.track_layer(-1, layers, sources="outputs")
    data = torch.zeros(size // 4)
    for _ in range(12):
        for layer in layers.values():
            layer(data)
        wait_for(lambda: parallel.status()[0]["waiting"] < 4)
    status = parallel.status()[0]
    assert not parallel.stop()
    came = [key for key, _ in seen(tmp_path)]
    dropped = status["dropped"]["memory full"]
    assert (len(came), len(came) + dropped) == (status["sent"], 72)
    assert set(came) == set("abcdef")
    told = f"{len(came)} tensors reached the inspector's process 0; dropped, by reason: {{'memory full': {dropped}}}"
    assert told in caplog.text


def test_what_is_larger_than_the_memory_is_told_with_the_mend(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes(tmp_path)
    large, small = nn.Identity(), nn.Identity()
    parallel = ParallelHandler(notes.onrun, notes.onclosing, capacity=100_000)
    parallel.track_layer(-1, {"large": large, "small": small}, sources="outputs")
    for _ in range(3):
        large(torch.zeros(100_000))
        small(torch.zeros(10))
    assert parallel.status()[0]["dropped"] == {"larger than the memory": 3}
    parallel.stop()
    assert {key for key, _ in seen(tmp_path)} == {"small"}
    assert caplog.text.count("leaves out 'large': 400,000 bytes do not fit into the 100,000 bytes that") == 1
    assert "give ParallelHandler a larger capacity (bytes)" in caplog.text


def test_nothing_is_lost_where_the_process_is_only_slow_to_start(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    parallel = ParallelHandler(notes.onrun, notes.onclosing)
    layer = nn.Identity()
    parallel.track_layer(-1, {"a": layer}, sources="outputs")
    for n in range(1000):
        layer(torch.tensor([float(n)]))
    assert parallel.stop()
    assert [line["array"][0] for line in read(tmp_path)[:-1]] == list(range(1000))


# ---- the program

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
import torch
from torch import nn
from flexlogger import ParallelHandler
from tests.inspector.callbacks import Notes

notes = Notes(Path(FOLDER), pause=0.005)
model = nn.Linear(4, 3)
parallel = ParallelHandler(notes.onrun, notes.onclosing, timeout=20.0)
parallel.track_model(-1, {"model": model}, sources="outputs")
for n in range(100):
    model(torch.randn(2, 4)).sum().backward()
print(parallel.status()[0]["pid"], flush=True)
"""


def started(body: str, folder: Path) -> Process:
    return warm.start(f"FOLDER = {str(folder)!r}\n{body}", env=os.environ | {"PYTHONPATH": str(ROOT)})


def finished(process: Process | subprocess.Popen[str]) -> tuple[int | None, str]:
    """Wait for a program, and for the process it says it has started."""
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    _, errors = process.communicate(timeout=100)
    assert ended(pid)
    return process.returncode, errors


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("os._exit(3)", 3, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_however_a_program_ends_its_tensors_are_looked_at_and_nothing_stays(
    tmp_path: Path, body: str, status: int, said: str
) -> None:
    code, errors = finished(started(SCRIPT + body, tmp_path))
    assert code == status
    assert said in errors
    assert "flexlogger" not in errors
    lines = read(tmp_path)
    assert [line["step"] for line in lines[:-1]] == list(range(100))
    assert lines[-1]["closed"] == 100


def test_ctrl_c_is_for_the_program_alone(tmp_path: Path) -> None:
    """A terminal sends it to all processes of the group."""
    body = """
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    model(torch.randn(2, 4)).sum().backward()
    print(parallel.is_alive(), flush=True)
"""
    process = started("import os; os.setpgrp()\n" + SCRIPT + body, tmp_path)
    pid = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    rest, errors = process.communicate(timeout=100)
    assert (rest, errors, process.returncode) == ("True\n", "", 0)
    assert ended(pid)
    assert read(tmp_path)[-1]["closed"] == 101


def test_a_process_ends_also_where_something_forked_holds_its_pipe_open(tmp_path: Path) -> None:
    """A child made behind Python's back, which lives on after the program was killed."""
    body = """
import ctypes
fork = ctypes.CDLL(None).fork
if fork() == 0:
    os.close(1); os.close(2)
    time.sleep(300)
    os._exit(0)
print(next(int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
      if int(p) != parallel.status()[0]["pid"]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = started(SCRIPT + body, tmp_path)
    pid, forked = (int(process.stdout.readline()) for _ in range(2))
    try:
        assert process.wait(60) == -signal.SIGKILL
        assert ended(pid)
        assert not ended(forked, 0)
        assert read(tmp_path)[-1]["closed"] == 100
    finally:
        os.kill(forked, signal.SIGKILL)
        process.communicate()


def test_what_a_script_defines_itself_travels(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        f"FOLDER = {str(tmp_path)!r}"
        + """
from pathlib import Path
from flexlogger import ParallelHandler
import torch
WORD = "seen"
def note(unique_id, key, internal_message, message, tensor):
    (Path(FOLDER) / message).write_text(f"{WORD} {type(tensor).__name__} {list(tensor.shape)}")
parallel = ParallelHandler(note)
layer = torch.nn.Identity()
parallel.track_layer(-1, {"a": layer}, sources="outputs")
layer(torch.zeros(2, 3))
print(parallel.status()[0]["pid"])
"""
    )
    code, errors = finished(
        subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    assert (code, errors) == (0, "")
    assert (tmp_path / "0").read_text() == "seen Tensor [2, 3]"


# ---- forks


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_sends_nothing_and_ends_nothing(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    parallel = ParallelHandler(notes.onrun, notes.onclosing)
    model = nn.Linear(4, 3)
    parallel.track_model(-1, {"model": model}, sources="outputs")
    step(model)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            model(torch.full((1, 4), torch.nan))
            status = 0 if parallel.stop() and not model._forward_pre_hooks else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    step(model)
    assert parallel.is_alive()
    assert parallel.stop()
    assert seen(tmp_path) == [("model", 0), ("model", 1)]


def test_workers_of_a_data_loader_are_no_matter(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    parallel = ParallelHandler(notes.onrun, notes.onclosing)
    model = nn.Linear(4, 3)
    parallel.track_model(-1, {"model": model}, sources="outputs")
    loader = DataLoader(TensorDataset(torch.randn(16, 4)), batch_size=4, num_workers=2, multiprocessing_context="fork")
    for (batch,) in loader:
        model(batch).sum().backward()
    assert parallel.stop()
    assert seen(tmp_path) == [("model", n) for n in range(4)]
