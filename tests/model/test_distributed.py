"""Several ranks, each a process of its own: names, averaged gradients, norms of what is spread over them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model import ranks, truth

ROOT = Path(__file__).parent.parent.parent


def run(case: str, folder: Path, world: int = 2) -> list[Any]:
    """What each rank found."""
    command = [sys.executable, "-m", "tests.model.ranks", case]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(world), str(folder)], cwd=ROOT, env=environment, stderr=subprocess.PIPE
        )
        for rank in range(world)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors.decode()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]


def whole(world: int) -> tuple[torch.nn.Sequential, torch.nn.Sequential]:
    """The model after a backward pass over all ranks' data at once, and after the step."""
    model = ranks.model()
    model(torch.cat([ranks.batch(rank) for rank in range(world)])).square().mean().backward()
    after = copy.deepcopy(model)
    for parameter, source in zip(after.parameters(), model.parameters(), strict=True):
        parameter.data -= 0.1 * source.grad
    return model, after


def check(table: dict[str, Any], world: int) -> None:
    model, after = whole(world)
    for row in ("0", "2", "3"):
        weight = model[int(row)].weight
        for source, tensor in (("weights", weight.detach()), ("grads", weight.grad)):
            for name, value in truth.statistics([tensor]).items():
                assert table[row][source][name] == pytest.approx(value, rel=1e-5, abs=1e-7), (row, source, name)
        moved = (after[int(row)].weight - weight).detach().norm() / weight.detach().norm()
        assert table[row]["weights"]["update_ratio"] == pytest.approx(float(moved), rel=1e-4)


def test_ddp_shows_averaged_gradients_under_the_models_own_names(tmp_path: Path) -> None:
    tables = run("ddp", tmp_path)
    for rank, table in enumerate(tables):
        check(table, 2)
        assert list(table) == ["0", "1", "2", "3"]
        output = ranks.model()[0](ranks.batch(rank)).detach()
        assert table["0"]["outputs"]["mean"] == pytest.approx(float(output.mean()), abs=1e-6), "each rank its own"


@pytest.mark.parametrize("world", [2, 3])
def test_fsdp_shows_statistics_of_whole_parameters(tmp_path: Path, world: int) -> None:
    """Shards are uneven: 5, 3 and 1 rows over 2 or 3 ranks, so that some ranks have none."""
    results = run("fsdp", tmp_path, world)
    for table, counts in results:
        check(table, world)
        model, _ = whole(world)
        assert table["0"]["weights"]["frobenius"] == pytest.approx(float(model[0].weight.detach().norm()), rel=1e-5)
        assert counts["2 grads"] == 15


def test_a_budget_makes_all_ranks_collect_the_same_steps(tmp_path: Path) -> None:
    first, second = run("budget", tmp_path)
    assert first == second
    assert len(first) > 2


def test_a_budget_goes_on_where_a_rank_has_broken(tmp_path: Path) -> None:
    (no_error, first), (error, second) = run("broken on 1", tmp_path)
    assert (no_error, error) == (None, "ZeroDivisionError: no")
    assert second == [0]
    assert first[:2] == [0, 5]


def test_where_rank_0_has_broken_the_others_collect_ever_more_seldom(tmp_path: Path) -> None:
    (error, first), (no_error, second) = run("broken on 0", tmp_path)
    assert (error, no_error) == ("ZeroDivisionError: no", None)
    assert first == [0]
    assert second == [0, 5, 15, 35]
