"""The configs of docs/plots.md pass the check, and its table of defaults tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flexlogger.config.load import load
from flexlogger.plots.catalog import PLOTS, plot_types

GUIDE = (Path(__file__).parents[2] / "docs" / "plots.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.S | re.M)


@pytest.mark.parametrize("block", BLOCKS)
def test_configs_of_the_guide_pass_the_check(block: str, tmp_path: Path) -> None:
    path = tmp_path / "dashboard.yaml"
    path.write_text(block, encoding="utf-8")
    assert load(path).plots


def test_the_guide_names_every_type() -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("|")]
    assert set(plot_types()) <= set(re.findall(r"`(\w+)`", "\n".join(rows)))


@pytest.mark.parametrize("name", plot_types())
def test_the_guide_shows_every_type(name: str) -> None:
    assert re.search(rf"type: {name}\b", "".join(BLOCKS))


@pytest.mark.parametrize("name", plot_types())
def test_the_example_of_every_type_passes_the_check(name: str, tmp_path: Path) -> None:
    path = tmp_path / "dashboard.yaml"
    path.write_text(PLOTS[name].example + "\n", encoding="utf-8")
    (plot,) = load(path).plots
    assert plot.type == name
