"""What is said when a run ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flexlogger.farewell import tell


def status(**changes: Any) -> dict[str, Any]:
    return {"dropped": {}, "unencodable": 0, "log": "a.jsonl", "stuck": False, "views": {}, **changes}


AWAY = {"visdom": {"outages": 3, "away_s": 12.4}, "card": {"outages": 0, "away_s": 0.0}}


@pytest.mark.parametrize(
    ("told", "complete", "expected"),
    [
        (status(), True, []),
        (status(dropped={"queue full": 3}), True, ["dropped, by reason: {'queue full': 3}"]),
        (status(views=AWAY), True, ["visdom was away 3 times, 12 s in all; it shows everything"]),
        (status(views={"visdom": {"outages": 1, "away_s": 2.0}}), True, ["visdom was away once, 2 s in all"]),
        (status(views=AWAY), False, ["flexlogger replay '/a run' --to visdom"]),
        (
            status(views={"csv": {"ok": False}, "mlflow": {"ok": False}, "visdom": {"ok": True}}),
            False,
            ["csv and mlflow did not get everything; it is in /a run, and whoever opens the run again"],
        ),
        (
            status(views={"csv": {"ok": False}, "visdom": {"ok": False}}),
            False,
            ["flexlogger replay '/a run' --to visdom"],
        ),
        (status(stuck=True), False, ["the run log in /a run is not complete"]),
        (status(log=None), False, ["without a run log it stays so"]),
    ],
)
def test_a_run_says_at_its_end_what_did_not_go_as_it_should(
    told: dict[str, Any], complete: bool, expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    tell(told, complete, Path("/a run"))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(expected)
    assert all(words in line for words, line in zip(expected, said, strict=True))
