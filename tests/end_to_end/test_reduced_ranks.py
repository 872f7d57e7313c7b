"""Meters brought together over real ranks (gloo), and what happens when one of them does not come."""

from __future__ import annotations

from pathlib import Path

import pytest

from flexlogger.runs.segment import read_header, segments
from tests.end_to_end.scripts import read_run
from tests.end_to_end.test_ranks import all_well, together

LOGGER = """
from flexlogger import meeting
def reduced(**options):
    meters = {
        "a": {"type": "AverageValueMeter", "target": "loss", "reduce": True},
        "most": {"type": "MaxMeter", "target": "loss", "reduce": True},
        "own": {"type": "SumMeter", "target": "loss"},
    }
    return FlexLogger({"loss": {}}, meters, dir=FOLDER, sinks=[], **options)
"""


def test_every_rank_comes_and_rank_0_logs_what_all_have_added(tmp_path: Path) -> None:
    body = """
with reduced(run="r") as stat:
    for n in range(RANK + 1):
        stat.add(a=float(RANK), most=float(10 * RANK), own=1.0)
    stat.log(0)
    if RANK == 2:
        stat.add(a=8.0)
    stat.log(1)
    stat.log(2)
    stat.add(a=float(RANK))
    stat.log(3, keys=["a"])
"""
    all_well(together(LOGGER + body, tmp_path, 3))
    by_rank = {
        header.rank: segment
        for path, segment in zip(
            segments(tmp_path / "default" / "r"), read_run(tmp_path / "default" / "r"), strict=True
        )
        if (header := read_header(path))
    }
    assert by_rank[0].series("a") == [(0, pytest.approx(8 / 6)), (1, 8.0), (3, 1.0)]
    assert by_rank[0].series("most") == [(0, 20.0)]
    assert [by_rank[rank].series("own") for rank in range(3)] == [[(0, 1.0)], [(0, 2.0)], [(0, 3.0)]]
    assert by_rank[1].series("a") == by_rank[2].series("a") == []


def test_a_rank_that_does_not_come_is_named(tmp_path: Path) -> None:
    body = """
import flexlogger
meeting.MEET_S = 2.0
stat = reduced(run="r")
stat.add(a=1.0)
stat.log(0)
if RANK != 1:
    try:
        stat.log(1)
    except flexlogger.RanksError as error:
        print(error)
else:
    dist.distributed_c10d._get_default_store().wait(["told by 0", "told by 2"])
dist.distributed_c10d._get_default_store().set(f"told by {RANK}", "yes")
if RANK == 0:
    dist.distributed_c10d._get_default_store().wait(["told by 1"])
"""
    said = all_well(together(LOGGER + body, tmp_path, 3))
    for rank in (0, 2):
        assert "log: meter 'a' (reduce: true): rank 1 of 3 did not come within 2 s; every rank has to" in said[rank]


def test_a_rank_that_opens_no_logger_is_named(tmp_path: Path) -> None:
    body = """
meeting.MEET_S = 2.0
if RANK == 0:
    reduced(run="r")
"""
    (status, _, errors), _ = together(LOGGER + body, tmp_path, 2)
    assert status == 1
    assert "opening a logger with reduce: true: rank 1 of 2 did not come within 2 s" in errors
