"""Forks, interrupts, crashes and ends of processes: each leaves the log it should."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from flexlogger.records import Definition
from tests.end_to_end.scripts import read_run, run, start

HEAD = """
from flexlogger import FlexLogger
def logger(**options):
    meters = {"loss": {"type": "AverageValueMeter"}, "seen": {"type": "SumMeter", "target": "loss"}}
    return FlexLogger({"loss": {}}, meters, run="r", dir=FOLDER, sinks=[], **options)
"""


def test_an_exit_without_close_loses_nothing(tmp_path: Path) -> None:
    (segment,), errors = run(
        HEAD + "stat = logger()\nfor n in range(1000):\n    stat.add(loss=float(n)); stat.log(n)", tmp_path
    )
    assert segment.series("loss") == [(n, float(n)) for n in range(1000)]
    assert segment.status == "finished"
    assert errors == ""


def test_an_exception_in_the_loop_keeps_everything_before_it(tmp_path: Path) -> None:
    body = "stat = logger()\nfor n in range(100):\n    stat.add(loss=float(n)); stat.log(n)\n    1 / (99 - n)"
    (segment,), errors = run(HEAD + body, tmp_path, status=1)
    assert [step for step, _ in segment.series("loss")] == list(range(100))
    assert segment.status == "crashed"
    assert "ZeroDivisionError" in errors
    assert "flexlogger" not in errors.replace("ZeroDivisionError", "")


def test_ctrl_c_keeps_everything_before_it(tmp_path: Path) -> None:
    body = """
import sys, time
stat = logger()
n = 0
while True:
    stat.add(loss=float(n)); stat.log(n); n += 1
    if n == 500:
        print("ready", flush=True)
    time.sleep(0.0005)
"""
    process = start(HEAD + body, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    (segment,) = read_run(tmp_path / "default" / "r")
    steps = [step for step, _ in segment.series("loss")]
    assert len(steps) >= 499
    assert steps == list(range(len(steps)))
    assert segment.status == "crashed"


TRAIN = """
import sys
def train():
    stat = logger()
    stat.add(loss=0.5); stat.log(0)
    {ending}
"""
BLOCK = """
with logger() as stat:
    stat.add(loss=0.5); stat.log(0)
    {ending}
"""
CHILD = """
import multiprocessing
process = multiprocessing.get_context("fork").Process(target=train)
process.start(); process.join(); sys.exit(process.exitcode)
"""


@pytest.mark.parametrize(
    ("body", "ending", "code", "status"),
    [
        (TRAIN + "train()", "sys.exit()", 0, "finished"),
        (TRAIN + "train()", "sys.exit(3)", 3, "crashed"),
        (TRAIN + "train()", "sys.exit('no more')", 1, "crashed"),
        (TRAIN + CHILD, "globals()['stat'] = stat; sys.exit(3)", 3, "crashed"),
        (TRAIN + CHILD, "globals()['stat'] = stat; raise SystemExit(3)", 3, "crashed"),
        (BLOCK, "raise SystemExit(3)", 3, "crashed"),
        (BLOCK, "raise SystemExit", 0, "finished"),
    ],
)
def test_a_run_ends_as_its_script_does(tmp_path: Path, body: str, ending: str, code: int, status: str) -> None:
    """Also where the logger is collected before the interpreter says that it ends."""
    (segment,), _ = run(HEAD + body.format(ending=ending), tmp_path, status=code)
    assert segment.status == status


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_sudden_end_keeps_all_but_the_last_moment(tmp_path: Path, ending: str) -> None:
    body = f"""
import os, signal
stat = logger()
for n in range(200):
    stat.add(loss=float(n)); stat.log(n)
assert stat.flush()
stat.add(loss=-1.0); stat.log(200)
{ending}
"""
    (segment,), _ = run(HEAD + body, tmp_path, status=3 if "exit" in ending else -signal.SIGKILL)
    assert [step for step, _ in segment.series("loss")][:200] == list(range(200))
    assert segment.status is None


def test_without_a_flush_the_log_reaches_the_disk_by_itself(tmp_path: Path) -> None:
    body = """
import os, pathlib, time
stat = logger()
stat.add(loss=1.5); stat.log(0)
end = time.monotonic() + 30
while not any(b'"loss":1.5' in p.read_bytes() for p in stat.folder.glob("*.jsonl")):
    assert time.monotonic() < end
    time.sleep(0.01)
os._exit(0)
"""
    (segment,), _ = run(HEAD + body, tmp_path)
    assert segment.series("loss") == [(0, 1.5)]


def test_data_loader_workers_write_segments_of_their_own(tmp_path: Path) -> None:
    body = """
import torch
from torch.utils.data import DataLoader, Dataset
class Items(Dataset):
    def __len__(self): return 40
    def __getitem__(self, i):
        stat.add(seen=1.0); stat.log(1000 + i)
        return i
stat = logger()
stat.add(loss=0.5); stat.log(0)
for batch in DataLoader(Items(), batch_size=4, num_workers=2, multiprocessing_context="fork"):
    stat.add(loss=float(batch.sum())); stat.log()
"""
    (main, *workers), _ = run(HEAD + body, tmp_path)
    assert len(main.series("loss")) == 11
    assert main.series("seen") == []
    assert main.status == "finished"
    assert len(workers) == 2
    assert sorted(step for w in workers for step, _ in w.series("seen")) == list(range(1000, 1040))
    assert all(w.status == "forked" and not w.damage for w in workers)
    assert all(isinstance(w.items[0], Definition) for w in workers), "a segment says what its names mean"


def test_a_training_in_a_forked_process_that_does_not_close_loses_nothing(tmp_path: Path) -> None:
    body = """
import multiprocessing
kept = []
def train():
    stat = logger()
    kept.append(stat)
    for n in range(1000):
        stat.add(loss=float(n)); stat.log(n)
process = multiprocessing.get_context("fork").Process(target=train)
process.start(); process.join()
assert process.exitcode == 0
"""
    (segment,), errors = run(HEAD + body, tmp_path)
    assert segment.series("loss") == [(n, float(n)) for n in range(1000)]
    assert segment.status == "finished"
    assert errors == ""


def test_a_notebook_cell_run_twice_gives_two_whole_runs(tmp_path: Path) -> None:
    body = """
cell = '''
stat = FlexLogger({"loss": {}}, {"loss": {"type": "AverageValueMeter"}}, dir=FOLDER, project="nb", env="nb", sinks=[])
for n in range(10):
    stat.add(loss=float(n)); stat.log(n)
'''
names = {}
for _ in range(2):
    exec(cell, globals())
    names[stat.run] = stat.folder
stat.close()
assert len(names) == 2
"""
    run(HEAD + body, tmp_path)
    runs = sorted((tmp_path / "nb").iterdir())
    assert len(runs) == 2
    for folder in runs:
        (segment,) = read_run(folder)
        assert segment.series("loss") == [(n, float(n)) for n in range(10)]
        assert segment.status == "finished"


def test_a_resumed_run_writes_a_second_segment(tmp_path: Path) -> None:
    for start_at in (0, 10):
        body = (
            f"stat = logger()\nfor n in range({start_at}, {start_at} + 10):\n    stat.add(loss=float(n)); stat.log(n)"
        )
        run(HEAD + body, tmp_path)
    first, second = read_run(tmp_path / "default" / "r")
    assert [s for s, _ in first.series("loss") + second.series("loss")] == list(range(20))
