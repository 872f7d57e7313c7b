"""Hydra composes a config, and that goes straight into a dashboard and a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import flexlogger.runs as runs
from flexlogger import ConfigError, FlexLogger, ValueRefusedError
from flexlogger.runs.card import read_card

CONFIG = """
lr: 0.1
net: {width: 64, layers: ["${net.width}", 10]}
optimizer: {lr: "${lr}", name: adam}
dashboard:
  extends: [loss]
  project: digits
  name: lr=${lr}
  config: {lr: "${lr}", net: "${net}"}
  plots: {lr: {type: line}}
"""


@pytest.fixture
def composed(tmp_path: Path) -> Any:
    (tmp_path / "train.yaml").write_text(CONFIG, encoding="utf-8")

    def composed(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            return compose("train", overrides=list(overrides))

    return composed


def test_a_dashboard_in_a_hydra_config_is_opened_with_its_overrides(composed: Any) -> None:
    cfg = composed("lr=0.5", "dashboard.plots.lr.type=text", "+dashboard.sinks=[]")
    with FlexLogger.from_config(cfg.dashboard) as stat:
        stat.add({"train_loss": 1.0})
        stat.log(0)
    assert list(stat.get_definitions()) == ["loss", "lr"]
    card = read_card(stat.folder)
    assert card is not None
    assert (card.project, card.name) == ("digits", "lr=0.5")
    assert card.config == {"lr": 0.5, "net": {"width": 64, "layers": [64, 10]}}


def test_a_hydra_config_is_the_runs_config(composed: Any) -> None:
    with runs.init(config=composed("net.width=8"), dashboard=composed().dashboard, mode="offline") as run:
        assert run.config.optimizer.lr == 0.1
        assert run.config.net.layers == [8, 10]
        run.config.update({"again": OmegaConf.create({"a": 1, "b": "${a}"})})
    card = read_card(run.dir)
    assert card is not None
    assert card.config["net"] == {"width": 8, "layers": [8, 10]}
    assert card.config["again"] == {"a": 1, "b": 1}
    assert card.project == "digits"


def test_a_missing_value_is_told_with_its_key_and_nothing_is_opened(composed: Any) -> None:
    with pytest.raises(ValueRefusedError, match=r"config: net.width: Missing mandatory value"):
        runs.init(config=composed("net.width=???"))
    assert runs.run is None
    with pytest.raises(ConfigError, match=r"name: .*Missing mandatory value"):
        FlexLogger.from_config(composed("dashboard.name=???").dashboard)


def test_an_interpolation_that_leads_nowhere_is_told_with_its_key() -> None:
    with pytest.raises(ValueRefusedError, match=r"config: a.b: .*'nope' not found"):
        runs.init(config=OmegaConf.create({"a": {"b": "${nope}"}}))
    with runs.init(mode="offline") as run, pytest.raises(ValueRefusedError, match="config: cfg: x: Missing"):
        run.config.cfg = OmegaConf.create({"x": "???"})
