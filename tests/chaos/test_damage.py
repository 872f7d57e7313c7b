"""Files of a run that are bit-flipped, cut and deleted, some while it runs: told once, and everything else is read."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from flexlogger.runs.card import read_card
from flexlogger.runs.reader import RunReader
from flexlogger.runs.segment import segments
from flexlogger.server.process import ServerProcess
from tests.chaos.checks import Point, lines, until_drawn
from tests.chaos.figures import Figures
from tests.chaos.training import Plan, Training

pytestmark = pytest.mark.chaos

SEED = 23


def run_folder(folder: Path) -> Path:
    return folder / "runs" / "default" / "r"


def plan(folder: Path, server: ServerProcess, env: str, number: int, **more: Any) -> Plan:
    wanted = {"dir": str(folder / "runs"), "run": "r", "env": env, "port": server.port, "max_points": 10**6}
    return Plan(home=folder / f"home{number}", settings=wanted, first=number * 10**6, seed=number, flush_s=60, **more)


def flip(path: Path, rng: random.Random, count: int, start: int = 0) -> set[float]:
    """Flip one bit in each of some lines of points that begin past byte `start`; the steps that are lost."""
    raw = bytearray(path.read_bytes())
    at, places = 0, []
    for line in bytes(raw).split(b"\n"):
        if at >= start and b'"v":{' in line and line.endswith(b"}"):
            places.append((at, line))
        at += len(line) + 1
    lost = set()
    with path.open("r+b") as file:
        for at, line in rng.sample(places, count):
            where = at + rng.randrange(len(line))
            file.seek(where)
            file.write(bytes([raw[where] ^ 1 << rng.randrange(8)]))
            lost.add(float(line.partition(b'"s":')[2].partition(b",")[0]))
    return lost


def test_what_is_damaged_before_a_resume_is_told_once(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    folder, env, rng = run_folder(tmp_path), "damaged", random.Random(SEED)
    with Training(plan(tmp_path, server, env, 0, matrices=True)) as training:
        training.wait_for(1000)
        until_drawn(1000, server.url, env, env)
        training.kill()
        before = training.truth.points()
    (path,) = segments(folder)
    lost = flip(path, rng, 20)
    blobs = sorted((folder / "blobs").rglob("*/*"))
    for blob in rng.sample(blobs, 5):
        blob.unlink()
    with path.open("ab") as file:
        file.write(b'{"q":99999,"s":1')
    with Training(plan(tmp_path, server, env, 1, matrices=True)) as training:
        training.wait_for(300)
        report = training.finish()
        after = training.truth.points()
    assert report["shown"] is True
    drawn = lines(server.url, "loss", env, env)["loss"]
    old = [point for point in drawn if point[0] < 10**6]
    assert old == [point for point in before if point[0] not in lost][: len(old)]
    assert len(old) >= 1000 - len(lost)
    assert drawn[len(old) :] == after
    told = [said for _, said in report["said"] if "skipped what is damaged" in said]
    assert len(told) == 1
    assert report["said"] == [said for said in report["said"] if said[1] in told]
    reader = RunReader(folder)
    list(reader.items())
    assert (reader.damage.damaged, reader.damage.blobs, reader.damage.torn) == (len(lost), 5, 1)
    figures(flipped=len(lost), blobs_deleted=5, torn=1, drawn=len(drawn), told=told[0].partition("damaged ")[2])


def test_what_is_damaged_while_it_is_read_is_told_once(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    folder, env, rng = run_folder(tmp_path), "damaged-live", random.Random(SEED)
    with Training(plan(tmp_path, server, env, 0)) as owner:
        owner.wait_for(200)
        with Training(plan(tmp_path, server, env, 1)) as other:
            other.wait_for(200)
            until_drawn(10**6 + 200, server.url, env, env, "loss", 10**6)
            path = next(path for path in segments(folder) if f"-{other.pid}-" in path.name)
            os.kill(owner.pid, signal.SIGSTOP)
            time.sleep(0.2)
            read = path.stat().st_size
            other.wait_for(other.truth.count + 500)
            lost = flip(path, rng, 10, start=read)
            os.kill(owner.pid, signal.SIGCONT)
            other.wait_for(other.truth.count + 500)
            other.finish()
            theirs = other.truth.points()
        report = owner.finish()
        ours = owner.truth.points()
    assert report["shown"] is True
    expected = [*ours, *(point for point in theirs if point[0] not in lost)]
    assert lines(server.url, "loss", env, env)["loss"] == expected
    assert [said for _, said in report["said"] if "10 damaged" in said] == [said for _, said in report["said"]]
    assert len(report["said"]) == 1
    assert report["end"]["views"]["visdom"]["damaged"] == len(lost)
    figures(flipped=len(lost), drawn=len(expected))


def test_a_folder_that_is_deleted_under_a_run(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    folder, env = run_folder(tmp_path), "deleted"
    with Training(plan(tmp_path, server, env, 0, matrices=True)) as training:
        training.wait_for(1000)
        until_drawn(900, server.url, env, env)
        shutil.rmtree(folder.rename(tmp_path / "away"))
        gone = training.truth.count
        training.wait_for(gone + 3000)
        report = training.finish()
        logged = training.truth.points()
        times = training.truth.column("time")
    assert report["shown"] is True
    assert lines(server.url, "loss", env, env)["loss"] == logged, "what was drawn is still known"
    written = points_of(folder)
    assert written == logged[-len(written) :]
    missed = len(logged) - len(written)
    assert times[missed] - times[gone] < 2.0, "the log goes on within two seconds"
    assert len(report["said"]) == 1
    assert "was deleted while it was written" in report["said"][0][1]
    assert report["end"]["deleted"] >= missed, "lines that were in the file: the points, and what else there was"
    card = read_card(folder)
    assert card is not None
    assert card.status == "finished"
    figures(logged=len(logged), on_disk=len(written), deleted_lines=report["end"]["deleted"])


def points_of(folder: Path) -> list[Point]:
    reader = RunReader(folder)
    steps, values = reader.series("loss")
    return list(zip(steps.tolist(), values.tolist(), strict=True))
