"""Runs that several processes wrote: a replay tells the owner's declarations from the others', as its views did."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from flexlogger.records import Definition, End, Event, Item, MeterDef, PlotDef, Record
from flexlogger.replay.draw import replay
from flexlogger.replay.source import Source, own_segment
from flexlogger.runs.card import FILE, Card, write_card
from flexlogger.runs.format import Resume
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.windows import points
from tests.replay.windows import windows
from tests.runs.on_disk import START, write_segment

RANKS = """
import os
from flexlogger import FlexLogger
rank = int(os.environ["RANK"])
meters = {"a": {"type": "LastValueMeter", "target": "loss"}}
with FlexLogger({"loss": {}}, meters, run="r", env="across", dir=FOLDER, port=PORT, ranks="all") as stat:
    for n in range(50):
        stat.add(a=float(n + 10 * rank)); stat.log(n)
"""

FORKS = """
import os
from flexlogger import FlexLogger
meters = {"a": {"type": "AverageValueMeter", "target": "loss"}}
stat = FlexLogger({"loss": {}}, meters, run="r", env="forks", dir=FOLDER, port=PORT)
stat.add(a=1.0); stat.log(0)
pid = os.fork()
if pid == 0:
    stat.add_meter("b", "AverageValueMeter", target="loss")
    for n in range(50):
        stat.add(b=float(n)); stat.log(n)
    stat.close()
    os._exit(0)
os.waitpid(pid, 0)
for n in range(1, 50):
    stat.add(a=1.0); stat.log(n)
stat.close()
"""


def finish(script: str, folder: Path, server: ServerProcess, **variables: str) -> None:
    process = start(f"PORT = {server.port}\n" + script, folder, env={**os.environ, **variables})
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def test_all_ranks_are_drawn_as_they_were(tmp_path: Path, server: ServerProcess, fresh_server: ServerProcess) -> None:
    for rank in "10":
        finish(RANKS, tmp_path, server, RANK=rank, WORLD_SIZE="2")
    assert replay("r", dir=tmp_path, port=fresh_server.port).segments == 2
    assert set(points(server.url, "across", "loss")) == {"a", "a@rank0", "a@rank1"}
    assert windows(fresh_server, "across") == windows(server, "across")


def test_forked_workers_are_drawn_as_they_were(
    tmp_path: Path, server: ServerProcess, fresh_server: ServerProcess
) -> None:
    finish(FORKS, tmp_path, server)
    assert replay("r", dir=tmp_path, port=fresh_server.port).segments == 2
    assert set(points(server.url, "forks", "loss")) == {"a", "b"}
    assert windows(fresh_server, "forks") == windows(server, "forks")


def define(time: float, *plots: str) -> Definition:
    meters = tuple(MeterDef(f"in_{plot}", "", plot) for plot in plots)
    return Definition(time, tuple(PlotDef(plot) for plot in plots), meters)


def own(pid: int) -> Event:
    return Event(START, "run", {"id": "r", "pid": pid})


def read(folder: Path) -> list[Item]:
    return [item for items in Source(folder).read() for item in items]


class TestSource:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "p" / "r"

    def test_items_come_in_order_of_time_and_the_owner_ends_the_run(self, folder: Path) -> None:
        write_segment(folder, [own(1), define(START, "a"), Record(0, START + 1), Record(2, START + 3), End(START + 9)])
        write_segment(folder, [Record(1, START + 2), Record(3, START + 4), End(START + 5, "forked")])
        items = read(folder)
        assert [item.step for item in items if isinstance(item, Record)] == [0, 1, 2, 3]
        assert [item.status for item in items if isinstance(item, End)] == ["finished"]

    def test_what_the_owner_takes_back_is_gone_and_what_others_declare_stays(self, folder: Path) -> None:
        write_segment(folder, [own(1), define(START, "a", "b"), define(START + 2, "a")])
        write_segment(folder, [define(START + 1, "c")])
        last = [item for item in read(folder) if isinstance(item, Definition)][-1]
        assert [plot.name for plot in last.plots] == ["a", "c"]

    def test_what_a_resume_hides_is_left_out(self, folder: Path) -> None:
        write_segment(folder, [own(1), *(Record(step, START + step / 9) for step in (0, 5, 6))], clock=lambda: START)
        write_segment(folder, [own(2), Record(5, START + 4)], resume=Resume(5, START + 3), clock=lambda: START + 3)
        assert [(item.step, item.time) for item in read(folder) if isinstance(item, Record)] == [
            (0, START),
            (5, START + 4),
        ]

    def test_who_owned_it_last_is_who_the_card_names(self, folder: Path) -> None:
        first = write_segment(folder, [define(START, "a")], clock=lambda: START)
        assert own_segment(folder) == first
        second = write_segment(folder, [own(2), define(START, "b")], clock=lambda: START + 1)
        third = write_segment(folder, [define(START, "c")], clock=lambda: START + 2)
        assert own_segment(folder) == second
        write_card(folder, Card(id="r", host=socket.gethostname(), pid=os.getpid()))
        assert own_segment(folder) == third
        (folder / FILE).write_text("{")
        assert own_segment(folder) == second

    def test_a_source_reads_on_and_counts(self, folder: Path) -> None:
        path = write_segment(folder, [own(1), Record(0, START)], clock=lambda: START)
        source = Source(folder)
        assert sum(map(len, source.read())) == 2
        assert (source.records, source.segments, source.offset) == (1, 1, path.stat().st_size)
        assert list(source.read()) == []
        write_segment(folder, [Record(1, START + 1)], clock=lambda: START + 1)
        assert [item.step for items in source.read() for item in items if isinstance(item, Record)] == [1]
        assert (source.records, source.segments, source.outdated) == (2, 2, False)
        write_segment(folder, [own(2), Record(0, START + 3)], resume=Resume(0, START + 2), clock=lambda: START + 2)
        list(source.read())
        assert source.outdated

    def test_files_that_cannot_be_read_are_told_once(self, folder: Path) -> None:
        write_segment(folder, [own(1), Record(0, START)])
        (folder / "vm-1-2-abc.jsonl").mkdir()
        told: list[str] = []
        source = Source(folder, told.append)
        assert sum(map(len, source.read())) == 2
        list(source.read())
        assert len(told) == 1
        assert "cannot be read" in told[0]
