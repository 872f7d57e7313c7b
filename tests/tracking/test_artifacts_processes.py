"""Artifacts of several processes at once, and of processes that die, fork, or run out of disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flexlogger.tracking.keeping import RunArtifacts
from flexlogger.tracking.store import ABANDONED_S, ArtifactStore

START = """
import os, sys
from pathlib import Path
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.keeping import RunArtifacts

notes = []
run = RunArtifacts(Path(sys.argv[1]), sys.argv[2], notes.append)

def log(text, **how):
    artifact = Artifact("notes", "text")
    with artifact.new_file("a.txt") as file:
        file.write(text)
    return run.log_artifact(artifact, **how)
"""


Start = Callable[[str, str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Runs code after START in a process of its own; one that a failed test leaves is ended."""
    with ExitStack() as stack:

        def script(name: str, code: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", START + code, str(tmp_path), name]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = stack.enter_context(subprocess.Popen(command, text=True, **pipes))
            stack.callback(process.kill)
            return process

        yield script


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def texts(store: ArtifactStore, name: str = "notes") -> dict[str, str]:
    """Version → content of its only file."""
    found = {}
    for number in store.versions(name):
        (entry,) = store.find(f"{name}:v{number}").entries
        found[f"v{number}"] = store.content.path(entry.digest).read_text()
    return found


def test_versions_of_processes_that_log_at_once_are_neither_lost_nor_doubled(tmp_path: Path, start: Start) -> None:
    code = """
print("ready", flush=True)
sys.stdin.readline()
for n in range(12):
    log(f"{n} of everybody" if n % 3 == 0 else f"{n} of {sys.argv[2]}", aliases=[sys.argv[2]])
assert run.wait()
"""
    writers = [start(f"writer-{n}", code) for n in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        finished(writer)
    store = ArtifactStore(tmp_path)
    found = texts(store)
    own = {f"{n} of writer-{w}" for n in range(12) if n % 3 for w in range(4)}
    assert sorted(found.values()) == sorted(own | {f"{n} of everybody" for n in (0, 3, 6, 9)})
    assert list(found) == [f"v{n}" for n in range(len(found))]
    for w in range(4):
        assert found[store.find(f"notes:writer-{w}").version] == f"11 of writer-{w}"
    assert not list((store.folder / ".staging").iterdir())


def test_the_interpreters_exit_waits_for_what_was_logged(tmp_path: Path, start: Start) -> None:
    code = """
import atexit
log("first")
atexit.register(lambda: print(log("from an exit handler").version, len(notes)))
raise SystemExit(0)
"""
    assert finished(start("run", code)) == "v1 2\n"
    assert texts(ArtifactStore(tmp_path)) == {"v0": "first", "v1": "from an exit handler"}


def test_a_forked_child_logs_too(tmp_path: Path, start: Start) -> None:
    code = """
log("of the parent").wait()
child = os.fork()
if not child:
    log("of the child").wait()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert log("of the parent again").version == "v2"
"""
    finished(start("run", code))
    assert list(texts(ArtifactStore(tmp_path)).values()) == ["of the parent", "of the child", "of the parent again"]


def test_a_child_does_not_remove_the_files_of_its_parent(tmp_path: Path, start: Start) -> None:
    code = """
artifact = Artifact("notes", "text")
with artifact.new_file("a.txt") as file:
    file.write("kept")
child = os.fork()
if not child:
    del artifact
    os._exit(0)
os.waitpid(child, 0)
assert run.log_artifact(artifact).version == "v0"
"""
    finished(start("run", code))
    assert texts(ArtifactStore(tmp_path)) == {"v0": "kept"}


def test_a_process_killed_while_it_stores_leaves_no_half_version(tmp_path: Path, start: Start) -> None:
    code = """
from flexlogger.tracking import store
publish = store.ArtifactStore.publish
log("before").wait()
def never(*args):
    print("hashed", flush=True)
    sys.stdin.readline()
store.ArtifactStore.publish = never
log("half")
run.wait()
"""
    process = start("run", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "hashed\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = ArtifactStore(tmp_path)
    assert texts(store) == {"v0": "before"}
    (left,) = (store.folder / ".staging").iterdir()
    later = ArtifactStore(tmp_path, clock=lambda: left.stat().st_mtime + ABANDONED_S + 1)
    assert left.exists()
    mine = later.stage()
    assert list((store.folder / ".staging").iterdir()) == [mine]


def test_a_disk_without_room_for_a_file_refuses_it_and_takes_the_next(tmp_path: Path, start: Start) -> None:
    code = """
import resource
from flexlogger.errors import ArtifactError
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    run.log_model(Path(sys.argv[1], "big.bin"), "big")
except ArtifactError as error:
    print(error)
print(log("small").version)
"""
    (tmp_path / "big.bin").write_bytes(bytes(2 << 20))
    said, version = finished(start("run", code)).splitlines()
    assert f"artifact big: big.bin (2.1 MB) cannot be copied from {tmp_path}/big.bin (File too large)" in said
    assert version == "v0"
    assert ArtifactStore(tmp_path).names() == ["notes"]


def test_a_large_file_is_not_read_whole(tmp_path: Path, start: Start) -> None:
    code = """
import resource
big = Path(sys.argv[1], "big.bin")
with open(big, "wb") as file:
    for n in range(200):
        file.write(bytes([n]) * (1 << 20))
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run.log_model(big, "big").wait()
run.log_model(big, "big").wait()
os.chdir(sys.argv[1])
run.use_model("big")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    assert int(finished(start("run", code))) < 50


def test_threads_of_one_process_may_log_at_once(tmp_path: Path) -> None:
    run = RunArtifacts(tmp_path / "runs", "run", lambda info: None)

    def log(number: int) -> None:
        for n in range(5):
            path = tmp_path / f"{number}.txt"
            path.write_text(f"{number} {n}")
            run.log_artifact(path, "notes", "text")

    workers = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert run.wait()
    assert len(texts(run.store)) == 20
    assert os.listdir(run.store.folder / ".staging") == []
