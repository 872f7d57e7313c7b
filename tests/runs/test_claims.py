from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import pytest

from flexlogger.runs.claims import STALE_S, Claim
from flexlogger.runs.processes import Process, is_gone, started, this_process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "owner.json"


def test_one_holds_it_while_its_heart_beats(path: Path) -> None:
    mine, other = Claim(path, "a"), Claim(path, "b")
    assert mine.take(100.0)
    for now in range(104, 200, 4):
        assert not other.take(now)
        assert mine.beat(now)
    assert mine.held
    assert not other.held
    told = json.loads(path.read_text())
    assert (told["run"], told["pid"], told["beat"]) == ("a", os.getpid(), 196)


def test_a_claim_given_back_is_free_at_once(path: Path) -> None:
    mine, other = Claim(path, "a"), Claim(path, "b")
    assert mine.take(100.0)
    mine.release()
    assert not path.exists()
    assert not mine.beat(100.1)
    assert other.take(100.2)
    mine.release()
    assert other.beat(100.3)


def test_a_heart_that_stood_still_for_ten_seconds_loses_its_claim(path: Path) -> None:
    mine, other = Claim(path, "a"), Claim(path, "b")
    assert mine.take(100.0)
    assert not other.take(100.0 + STALE_S)
    assert other.take(100.1 + STALE_S)
    assert not mine.beat(100.2 + STALE_S)
    assert not mine.held
    assert other.beat(100.3 + STALE_S)
    assert [entry.name for entry in path.parent.iterdir()] == ["owner.json"]
    assert mine.take(101.0 + 3 * STALE_S)


HOLD = """
    import sys, time
    from pathlib import Path
    from flexlogger.runs.claims import Claim
    claim = Claim(Path(sys.argv[1]), "killed")
    print(claim.take(float(sys.argv[2])), flush=True)
    time.sleep(600)
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_on_this_machine_loses_its_claim_at_once(path: Path) -> None:
    with python(HOLD, str(path), "100.0") as process:
        assert cast(IO[str], process.stdout).readline() == "True\n"
        mine = Claim(path, "a")
        assert not mine.take(100.5)
        process.kill()
        process.wait()
        assert mine.take(100.5)


def test_a_process_that_has_the_number_of_a_dead_one_is_not_taken_for_it(path: Path) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"pid_start": "1"}))
    assert Claim(path, "b").take(100.5)


def test_a_process_on_another_machine_is_judged_by_its_heart_alone(path: Path) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    told = json.loads(path.read_text())
    for elsewhere in ({"host": "far"}, {"boot": "before"}):
        path.write_text(json.dumps(told | {"pid_start": "1"} | elsewhere))
        assert not Claim(path, "b").take(105.0)


@pytest.mark.parametrize("content", [b"", b'{"token":', b"\xff\x00", b"[]"])
def test_a_claim_that_cannot_be_parsed_goes_stale_by_its_files_time(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    os.utime(path, (100.0, 100.0))
    mine = Claim(path, "a")
    assert not mine.take(105.0)
    assert mine.take(111.0)
    assert mine.beat(112.0)


def test_a_claim_whose_file_was_deleted_is_made_again_by_the_next_beat(path: Path) -> None:
    mine, other = Claim(path, "a"), Claim(path, "b")
    assert mine.take(100.0)
    path.unlink()
    assert mine.beat(102.0)
    assert not other.take(103.0)
    path.unlink()
    assert other.take(104.0)
    assert not mine.beat(105.0)


def test_a_disk_that_refuses_to_make_it_again_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    path.unlink()

    def refuse(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        with pytest.raises(OSError, match="No space"):
            mine.beat(102.0)
    assert not path.exists()
    assert mine.held
    assert mine.beat(104.0)
    assert not Claim(path, "b").take(105.0)


def test_a_claim_whose_folder_was_deleted_is_kept_and_makes_no_folder(path: Path) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    path.unlink()
    path.parent.rmdir()
    assert mine.beat(102.0)
    assert not path.parent.exists()
    path.parent.mkdir()
    assert mine.beat(104.0)
    assert path.exists()


def test_a_forked_child_holds_nothing_and_gives_nothing_back(path: Path) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    child = os.fork()
    if child == 0:
        told = mine.held or mine.beat(101.0)
        mine.release()
        os._exit(int(told))
    assert os.waitpid(child, 0)[1] == 0
    assert mine.beat(102.0)


def test_who_dies_while_taking_over_holds_up_nobody_for_long(path: Path) -> None:
    mine = Claim(path, "a")
    assert mine.take(100.0)
    found = mine.holder()
    assert found is not None
    left_behind = path.with_name(f"{path.name}.{found.token}.0")
    left_behind.touch()
    os.utime(left_behind, (115.0, 115.0))
    other = Claim(path, "b")
    assert not other.take(120.0)
    assert other.take(126.0)
    assert [entry.name for entry in path.parent.iterdir()] == ["owner.json"]


RACE = """
    import sys, time
    from pathlib import Path
    from flexlogger.runs.claims import Claim
    kept = []
    for line in sys.stdin:
        path, moment = line.split()
        claim = Claim(Path(path), "racer")
        kept.append(claim)
        while time.time() < float(moment):
            pass
        won = claim.take(1000.0)
        print(int(won), flush=True)
"""


@pytest.fixture
def racers() -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        processes = [stack.enter_context(python(RACE)) for _ in range(3)]
        yield processes
        for process in processes:
            cast(IO[str], process.stdin).close()


def test_of_several_processes_that_want_a_stale_claim_exactly_one_gets_it(
    tmp_path: Path, racers: list[subprocess.Popen[str]]
) -> None:
    for turn in range(60):
        path = tmp_path / str(turn) / "owner.json"
        dead = Claim(path, "dead")
        assert dead.take(100.0)
        assert sum(raced(path, racers)) == 1
        assert not dead.beat(1000.0)
        assert [entry.name for entry in path.parent.iterdir()] == ["owner.json"]


def test_of_several_processes_that_want_a_free_claim_exactly_one_gets_it(
    tmp_path: Path, racers: list[subprocess.Popen[str]]
) -> None:
    for turn in range(20):
        assert sum(raced(tmp_path / str(turn) / "owner.json", racers)) == 1


def raced(path: Path, racers: list[subprocess.Popen[str]]) -> list[int]:
    """Whether each of them got it, all trying at the same moment."""
    moment = time.time() + 0.003
    for racer in racers:
        stdin = cast(IO[str], racer.stdin)
        stdin.write(f"{path} {moment}\n")
        stdin.flush()
    return [int(cast(IO[str], racer.stdout).readline()) for racer in racers]


def test_a_zombie_is_gone() -> None:
    process = python("")
    identity = Process(this_process().host, this_process().boot, process.pid, started(process.pid) or "")
    cast(IO[str], process.stdin).close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(identity)
    process.wait()
    assert is_gone(identity)
    cast(IO[str], process.stdout).close()


def test_without_a_start_time_a_process_is_known_by_its_number() -> None:
    me = this_process()
    assert not is_gone(Process(me.host, me.boot, me.pid, ""))
    assert not is_gone(Process(me.host, me.boot, 1, ""))
    with python("") as process:
        pass
    assert is_gone(Process(me.host, me.boot, process.pid, ""))
