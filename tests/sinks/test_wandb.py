from __future__ import annotations

import json
import logging as logs
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from tests.sinks import logged
from tests.sinks.reading import of_wandb, wandb_records, wandb_rows

OFFLINE = {"wandb": {"mode": "offline"}}


def test_what_is_logged_is_in_wandbs_own_files() -> None:
    with logged.logging(OFFLINE) as stat:
        logged.log_losses(stat, range(20))
        logged.log_the_rest(stat, 20)
        assert stat.flush(logged.WAIT_S)
        assert stat.status()["views"]["wandb"]["left_out"] == {}
        folder = stat.folder
    expected = logged.losses(range(20)) | {"recall.cat": [(20, 0.25)], "recall.dog": [(20, 1.0)]}
    assert of_wandb(folder) == expected
    last = wandb_rows(folder)[-1]
    kinds = {name: value["_type"] for name, value in last.items() if isinstance(value, dict)}
    assert kinds == {
        "picture": "image-file",
        "grid": "images/separated",
        "rows": "table-file",
        "confusion": "table-file",
        "weights": "histogram",
    }
    assert last["words"] == "hello"
    records = list(wandb_records(folder))
    (run,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (run.run_id, run.project, run.display_name, run.notes) == ("r1", "pets", "first", "what it is about")
    assert [*run.tags] == ["a", "b"]
    config = {update.key: json.loads(update.value_json) for update in run.config.update}
    assert config["lr"] == 0.1
    assert config["net"] == {"sizes": [8, 16]}
    summaries = [record.summary for record in records if record.WhichOneof("record_type") == "summary"]
    told = {update.key: json.loads(update.value_json) for summary in summaries for update in summary.update}
    assert told["train_loss"] == 1 / 20
    (ended,) = [record.exit for record in records if record.WhichOneof("record_type") == "exit"]
    assert ended.exit_code == 0


def test_a_run_that_is_taken_up_again_is_sent_what_is_new() -> None:
    for steps in (range(10), range(10, 20)):
        with logged.logging(OFFLINE) as stat:
            logged.log_losses(stat, steps)
            folder = stat.folder
    assert of_wandb(folder) == logged.losses(range(20))


def test_a_name_or_parameter_that_changes_is_told() -> None:
    with logged.logging(OFFLINE) as stat:
        logged.log_losses(stat, range(2))
        assert stat.flush(logged.WAIT_S)
        stat.session.describe(name="better")
        stat.session.configure({"lr": 0.5})
        folder = stat.folder
    records = list(wandb_records(folder))
    names = [r.run.display_name for r in records if r.WhichOneof("record_type") == "run"]
    assert names[-1] == "better"
    updates = [u for r in records if r.WhichOneof("record_type") == "config" for u in r.config.update]
    assert {u.key: u.value_json for u in updates}["lr"] == "0.5"


def test_nobody_is_asked_for_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    with caplog.at_level(logs.WARNING, "flexlogger"), FlexLogger({"a": {}}, sinks=["wandb", "csv"]) as stat:
        stat.add({"a": 1.0})
        stat.log(0)
        assert not stat.flush(2.0)
        views = stat.status()["views"]
    assert not views["wandb"]["ok"]
    assert "run `wandb login`, or say `wandb: {mode: offline}`" in views["wandb"]["error"]
    assert views["csv"]["ok"]
    assert len([record for record in caplog.records if "wandb login" in record.getMessage()]) == 1
