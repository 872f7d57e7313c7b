from __future__ import annotations

import logging as logs
import sys
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.config.load import load
from flexlogger.errors import ConfigError, UnknownNameError, ValueRefusedError
from flexlogger.records import Record
from tests.sinks import logged


def test_a_function_in_code_is_called_with_each_record() -> None:
    called: list[Record] = []
    with logged.logging(called.append) as stat:
        logged.log_losses(stat, range(10))
    assert [(record.step, record.values["train_loss"]) for record in called] == logged.losses(range(10))["train_loss"]


def test_a_function_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("my_hooks.py").write_text("seen = []\ndef send(record):\n    seen.append(record.step)\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = {"plots": {"a": {}}, "sinks": [{"callable": {"function": "my_hooks.send"}}]}
    with pytest.raises(ConfigError, match=r"sinks\[0\]\.callable\.function: .*--allow-import my_hooks"):
        FlexLogger.from_config(config)
    with FlexLogger.from_config(config, allow_imports=["my_hooks"]) as stat:
        stat.add({"a": 1.0})
        stat.log(7)
    assert sys.modules["my_hooks"].seen == [7]


def test_a_path_that_leads_nowhere_is_refused_before_anything_is_opened() -> None:
    for path, error, message in (
        ("flexlogger.runs.find.find_rnu", UnknownNameError, "did you mean 'find_run'?"),
        ("flexlogger.nowhere.f", ValueRefusedError, "cannot be imported"),
        ("flexlogger.runs.find.__name__x", ConfigError, "names something private"),
    ):
        with pytest.raises(error, match=message):
            FlexLogger(sinks=[{"callable": {"function": path}}])
    with pytest.raises(ConfigError, match="missing option of sink callable 'function'"):
        load({"sinks": ["callable"]})


def test_a_function_that_fails_is_told_once_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Record] = []

    def fail(record: Record) -> None:
        raise RuntimeError("no luck")

    with caplog.at_level(logs.WARNING, "flexlogger"), logged.logging(fail, seen.append, "csv") as stat:
        logged.log_losses(stat, range(10))
        assert stat.flush(logged.WAIT_S)
        status = stat.status()["views"]
    assert status["callable"]["left_out"] == {"failed": 10}
    assert len(seen) == 10
    assert status["csv"]["ok"]
    assert len([record for record in caplog.records if "failed" in record.getMessage()]) == 1
