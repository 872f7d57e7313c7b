"""docs/pipes.md, done as it says: keys, a monitor, a config, a trainer, and what is left sent afterwards."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.cli import main
from flexlogger.config.load import load
from tests.pipe.places import Monitor
from tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "pipes.md"


def commands() -> list[list[str]]:
    return [shlex.split(line)[1:] for block in blocks(GUIDE, "sh") for line in block.splitlines()]


def test_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys, server, monitor, push = commands()
    assert main(keys) == 0
    assert server == ["server"]
    options = dict(zip(monitor[1::2], monitor[2::2], strict=True))
    assert options["--listen"] == "tcp://0.0.0.0:5555"
    with Monitor(tmp_path / options["--dir"], "--keys", options["--keys"], "--sinks", "none") as running:
        by_process, by_tcp = blocks(GUIDE, "yaml")
        for text in (by_process, by_tcp):
            Path("dashboard.yaml").write_text(text)
            assert load("dashboard.yaml").pipe in ("process", "tcp://dash.example:5555")
        Path("dashboard.yaml").write_text(by_tcp.replace("tcp://dash.example:5555", running.where))
        with FlexLogger.from_config("dashboard.yaml", dir="flexlogger_runs") as stat:
            stat.add(train_loss=0.5)
            stat.log(0)
            assert stat.flush(20)
            assert {"behind", "error", "outages", "away_s", "url", "later"} <= set(stat.status()["views"]["tcp"])
        assert main([running.where if "tcp://" in word else word for word in push]) == 0
        assert (tmp_path / options["--dir"] / "default" / stat.run / "run.json").exists()
