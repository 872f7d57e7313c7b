from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.sinks import logged
from tests.sinks.reading import of_jsonl


def test_everything_that_is_plain_data_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    with logged.logging({"jsonl": {"path": str(path)}}) as stat:
        logged.log_losses(stat, range(20))
        logged.log_the_rest(stat, 20)
        stat.add({"train_loss": float("nan")})
        stat.log(21)
        assert stat.flush(logged.WAIT_S)
        assert stat.status()["views"]["jsonl"]["left_out"] == {"image": 1, "images": 1}
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    expected = logged.losses(range(20))
    found = of_jsonl(path)
    assert found["test_loss"] == expected["test_loss"]
    assert found["train_loss"][:-1] == expected["train_loss"]
    assert lines[-3]["values"] == {"train_loss": "NaN"}
    values = {line["name"]: line["value"] for line in lines if "name" in line}
    assert values["confusion"] == [[1, 1], [0, 1]]
    assert values["words"] == "hello"
    assert values["rows"] == {"columns": ["word", "n"], "rows": [["cat", 2], ["dog", 1]]}
    assert sum(values["weights"][1]) == 100
    assert lines[0]["event"] == "run"
    assert lines[0]["info"]["config"] == logged.ABOUT["config"]
    assert lines[-1]["end"] == "finished"


def test_a_run_that_is_taken_up_again_has_each_line_once() -> None:
    for steps in (range(10), range(10, 20)):
        with logged.logging("jsonl") as stat:
            logged.log_losses(stat, steps)
            folder = stat.folder
    assert of_jsonl(folder / "metrics.jsonl") == logged.losses(range(20))


def test_no_secret_gets_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "planted-value")
    config = {"note": "uses planted-value", "password": "also-planted"}
    with logged.logging("jsonl", config=config) as stat:
        log = stat.folder
    text = (log / "metrics.jsonl").read_text()
    assert "***" in text
    assert "planted" not in text
