"""A run that is killed and taken up again, and again: its windows show all of it, its log keeps all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from flexlogger.runs.card import read_card
from flexlogger.server.process import ServerProcess
from tests.chaos.checks import LONGEST_CALL_MS, Point, calls, lines, on_disk, until_drawn
from tests.chaos.figures import Figures
from tests.chaos.training import Plan, Training

pytestmark = pytest.mark.chaos


def run_folder(folder: Path) -> Path:
    return folder / "runs" / "default" / "r"


def plan(folder: Path, server: ServerProcess, env: str, life: int, first: int, **more: Any) -> Plan:
    wanted = {"dir": str(folder / "runs"), "run": "r", "env": env, "port": server.port, "max_points": 10**6, **more}
    return Plan(home=folder / f"life{life}", settings=wanted, first=first, seed=life, flush_s=60)


def test_a_killed_run_that_is_resumed_twice(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    folder, env = run_folder(tmp_path), "resumed-twice"
    parts: list[list[Point]] = []
    for life in range(3):
        first = len(on_disk(folder))
        with Training(plan(tmp_path, server, env, life, first)) as training:
            training.wait_for(800)
            until_drawn(first + 800, server.url, env, env, "loss")
            before = [point for part in parts for point in part]
            assert lines(server.url, "loss", env, env)["loss"][: len(before)] == before, "nothing was erased"
            if life < 2:
                training.kill()
            else:
                report = training.finish()
            parts.append(on_disk(folder)[first:])
            assert parts[life] == training.truth.points()[: len(parts[life])]
    assert report["shown"] is True
    whole = [point for part in parts for point in part]
    assert [step for step, _ in whole] == list(range(len(whole)))
    assert lines(server.url, "loss", env, env)["loss"] == whole
    card = read_card(folder)
    assert card is not None
    assert (card.status, card.resumed, card.last_step) == ("finished", 2, len(whole) - 1)
    figures(lives=3, on_disk=len(whole), drawn=len(whole))


def test_a_killed_run_that_is_resumed_from_an_earlier_step(
    tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    folder, env, again = run_folder(tmp_path), "resumed-earlier", 500
    with Training(plan(tmp_path, server, env, 0, 0)) as training:
        training.wait_for(1500)
        training.kill()
    before = on_disk(folder)
    with Training(plan(tmp_path, server, env, 1, again, resume_step=again)) as training:
        training.wait_for(300)
        report = training.finish()
        after = training.truth.points()
    assert report["shown"] is True
    assert on_disk(folder) == [*before, *after], "hidden, never deleted"
    assert lines(server.url, "loss", env, env)["loss"] == [*before[:again], *after]
    figures(on_disk=len(before) + len(after), drawn=again + len(after), hidden=len(before) - again)


def test_a_long_history_is_loaded_while_training_goes_on(
    tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    folder, env, rows = run_folder(tmp_path), "long-history", 300_000
    options: dict[str, Any] = {"max_points": 2000}
    first = msgspec.structs.replace(plan(tmp_path, server, env, 0, 0, **options), pause=0.0, rows=rows)
    with Training(first) as training:
        assert training.ended()["end"]["dropped"] == {}
    with Training(plan(tmp_path, server, env, 1, rows, **options)) as training:
        training.wait_for(3000)
        report = training.finish()
        count, took = training.truth.count, calls(training.truth)
    assert report["shown"] is True
    drawn = lines(server.url, "loss", env, env)["loss"]
    assert (drawn[0][0], drawn[-1][0]) == (0, rows + count - 1)
    assert took["longest_own_ms"] <= LONGEST_CALL_MS
    figures(history=rows, on_disk=len(on_disk(folder)), **took)
