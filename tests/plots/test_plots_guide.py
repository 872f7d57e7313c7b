"""The configs of docs/plots.md pass the check, and its table of defaults tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.config.load import load
from flexlogger.plots.board import Board
from flexlogger.plots.catalog import PLOTS, plot_types
from flexlogger.runs.reader import RunReader
from tests.plots import further

GUIDE = (Path(__file__).parents[2] / "docs" / "plots.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.S | re.M)
_LINES = r"((?:(?!```).*\n)+)"
RUNNABLE = re.findall(rf"^```yaml\n{_LINES}```\n\n```python\n{_LINES}```", GUIDE, re.M)


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


@pytest.mark.parametrize(("config", "code"), RUNNABLE)
def test_the_code_of_the_guide_fills_its_windows(
    config: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    further.write_files(tmp_path)
    (tmp_path / "film.mp4").rename("rollout.mp4")
    (tmp_path / "tone.wav").rename("speech.wav")
    Path("dashboard.yaml").write_text(config, encoding="utf-8")
    with FlexLogger.from_config("dashboard.yaml", sinks=[]) as stat:
        exec(code, {"stat": stat, "np": np, "random": np.random.default_rng(0), "Path": Path})
        stat.log()
        assert stat.flush()
    board = Board()
    board.write(list(RunReader(stat.folder).items()))
    panels = [board.panel(name) for name in board.windows()]
    assert not board.notes
    assert len(panels) == config.count("{type:")
    assert "no values yet" not in str(panels)
