"""The arithmetic of the benchmarks, and the page they write."""

from __future__ import annotations

import doctest
import math
import os
from pathlib import Path

import pytest

from bench import figures, process, report, results, stepping
from bench.figures import Spread, exponent, percentile, ratios, short
from bench.results import Picture, Result, Table, Target


def test_the_examples_hold() -> None:
    for module in (figures, report):
        assert doctest.testmod(module).failed == 0


def test_percentiles_are_nearest_ranks() -> None:
    hundred = [float(i) for i in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 0.999, 1.0)] == [1, 50, 99, 100, 100]
    assert percentile([7.0], 0.99) == 7.0


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([1.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == Spread(1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_an_exponent_is_the_power_that_made_the_figures(power: float) -> None:
    assert math.isclose(exponent({n: 3e-6 * n**power for n in (1000, 10_000, 1_000_000)}), power)


def test_figures_keep_what_means_something() -> None:
    assert [short(f) for f in (0.0, 0.5, 99.94, 100.4, 1e6)] == ["0", "0.50", "99.9", "100", "1,000,000"]


def test_steps_are_counted_and_numbered() -> None:
    seen: list[int] = []
    found = stepping.tight(lambda i, values: seen.append(i), 5, 3, 60.0)
    assert seen == [5, 6, 7]
    assert found["steps"] == 3
    assert all(set(values) == set(stepping.NAMES) for values in stepping.made_up_values())


def test_a_processes_cpu_only_grows() -> None:
    before = process.cpu_seconds(os.getpid())
    sum(range(100_000))
    assert process.cpu_seconds(os.getpid()) > before > 0


def test_a_result_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    target = Target("speed", "≥ 1", "0.5", False)
    result = Result("one", "One", "how", True, [Table("t", ["a"], [["1"]], "note")], [target], machine={"machine": "m"})
    result.save()
    assert results.load("one") == result
    assert results.load("two") is None
    page = report.page([result])
    assert "| One | speed | ≥ 1 | 0.5 | **no** |" in page
    assert "| 1 |" in page
    assert "A quick run" in page


@pytest.mark.parametrize("over", ["", "steps"])
def test_a_table_has_its_picture_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: str) -> None:
    monkeypatch.setattr(report, "IMAGES", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    rows = [["ours", "10", "1.0–2.0–3.0"], ["theirs", "10", "40"], ["ours", "100", "-0.5"], ["nobody", "1,000", "–"]]
    table = Table("Two of them", ["", "steps", "µs"], rows, picture=Picture("Both", "µs", ["µs"], over))
    report.write([Result("hot_path", "One", "how", False, [table], seconds=75.0)])
    assert (tmp_path / "bench-hot-path-two-of-them.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "page.md").read_text()
    assert "![Both](img/bench-hot-path-two-of-them.png)" in page
    assert "1:15 minutes" in page
