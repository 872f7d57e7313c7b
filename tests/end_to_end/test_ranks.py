"""Several ranks of one training: real processes that meet through torch.distributed (gloo), one run, one dashboard."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from flexlogger import FlexLogger, RunLogError
from flexlogger.runs.segment import read_header, segments
from tests.end_to_end.scripts import read_run, start
from tests.end_to_end.windows import points, post, window_id
from tests.pipe.places import Place

HEAD = """
import sys, time
import torch.distributed as dist
from flexlogger import FlexLogger
RANK, WORLD = int(sys.argv[1]), int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{FOLDER}/meet", rank=RANK, world_size=WORLD)
def logger(**options):
    meters = {"a": {"type": "AverageValueMeter", "target": "loss"}}
    return FlexLogger({"loss": {}}, meters, dir=FOLDER, **options)
"""


def together(body: str, folder: Path, world: int) -> list[tuple[int, str, str]]:
    """Run one script as `world` ranks; return (status, output, errors) of each."""
    processes = [start(HEAD + body, folder, rank, world) for rank in range(world)]
    ended: list[tuple[int, str, str]] = []
    for process in processes:
        try:
            out, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            for other in processes:
                other.kill()
            raise
        ended.append((process.returncode, out, errors))
    return ended


def all_well(ended: list[tuple[int, str, str]]) -> list[str]:
    for status, _, errors in ended:
        assert status == 0, errors
    return [out for _, out, _ in ended]


def test_ranks_agree_on_a_run_and_rank_0_draws_it(tmp_path: Path, place: Place) -> None:
    env = f"agree-{place.word}"
    body = f"""
with logger(env={env!r}, **{place.settings!r}) as stat:
    for n in range(5):
        stat.add(a=float(10 * RANK + n)); stat.log(n)
    stat.flush()
    dist.barrier()
    print(stat.run, stat.session.owner, stat.session.rank, stat.session.world)
"""
    said = [line.split() for line in all_well(together(body, tmp_path, 3))]
    assert len({run for run, *_ in said}) == 1
    assert [rest for _, *rest in said] == [["True", "0", "3"], ["False", "1", "3"], ["False", "2", "3"]]
    (folder,) = (path for path in (tmp_path / "default").iterdir())
    headers = [header for path in segments(folder) if (header := read_header(path))]
    assert sorted(header.rank for header in headers) == [0, 1, 2]
    assert sorted(segment.series("a")[0][1] for segment in read_run(folder)) == [0.0, 10.0, 20.0]
    assert points(place.server.url, env, "loss") == {"a": [(n, float(n)) for n in range(5)]}


def test_all_ranks_are_drawn_with_their_mean_and_spread(tmp_path: Path, place: Place) -> None:
    env = f"everyone-{place.word}"
    body = f"""
stat = logger(env={env!r}, ranks="all", run={env!r}, **{place.settings!r})
for n in range(5):
    stat.add(a=float(n + 2 * RANK)); stat.log(n)
stat.flush()
dist.barrier()
if RANK == 0:
    stat.flush()
stat.close()
"""
    all_well(together(body, tmp_path, 3))
    drawn = points(place.server.url, env, "loss")
    assert drawn == {
        "a": [(n, n + 2.0) for n in range(5)],
        "a@rank0": [(n, float(n)) for n in range(5)],
        "a@rank1": [(n, n + 2.0) for n in range(5)],
        "a@rank2": [(n, n + 4.0) for n in range(5)],
    }
    text = post(place.server.url, "/win_data", {"eid": env, "win": window_id(env, env, "loss")})
    assert '"name": "a (band)"' in text
    assert text.count("(band)") == 1


def test_a_rank_0_that_logs_alone_waits_for_nobody(tmp_path: Path) -> None:
    body = """
if RANK == 0:
    with logger(sinks=[]) as stat:
        stat.add(a=1.0); stat.log(0)
"""
    all_well(together(body, tmp_path, 2))


def test_a_rank_without_rank_0_is_told_after_a_while(tmp_path: Path) -> None:
    body = """
from flexlogger import ranks
if RANK == 1:
    ranks.AGREE_S = 0.2
    logger(sinks=[])
"""
    (_, (status, _, errors)) = together(body, tmp_path, 2)
    assert status == 1
    assert "rank 1 of 2: rank 0 opened no run within 0.2 s; open one there too, or name the run with" in errors


def test_ranks_that_cannot_meet_need_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(RunLogError, match=r"rank 1 of 4: .*name the run with FLEXLOGGER_RUN or run"):
        FlexLogger({"p": {}}, sinks=[])
    monkeypatch.setenv("FLEXLOGGER_RUN", "named")
    with FlexLogger({"p": {}}, sinks=[]) as stat:
        assert (stat.run, stat.session.owner, stat.session.rank) == ("named", False, 1)
        stat.add(p=math.pi)
        stat.log(0)
    assert not (stat.folder / "run.json").exists()
    assert not (stat.folder / "owner.json").exists()
