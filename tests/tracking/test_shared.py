"""A FlexLogger and the run API share one run, one log, one pipe, whichever was first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import flexlogger.runs as wandb
from flexlogger import ConfigError, FlexLogger
from flexlogger.runs.card import read_card
from flexlogger.runs.segment import segments
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.memory import MemorySink
from tests.end_to_end.windows import traces

PLOTS: dict[str, Any] = {"losses": {"type": "line"}}
METERS: dict[str, Any] = {"train_loss": {"type": "AverageValueMeter", "target": "losses"}}


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    yield
    wandb.finish()


def log_both(stat: FlexLogger) -> None:
    for n in range(5):
        stat.add({"train_loss": float(n)})
        stat.log(n)
        wandb.log({"lr": 0.5 / (n + 1)})


def check_both(server: ServerProcess, run: wandb.TrackedRun) -> None:
    assert run.flush()
    assert traces(run.session, server.url, "losses") == {"train_loss": [(n, float(n)) for n in range(5)]}
    assert traces(run.session, server.url, "lr") == {"lr": [(n, 0.5 / (n + 1)) for n in range(5)]}
    assert run.summary.as_dict() == {"train_loss": 4.0, "lr": 0.1}
    assert len(segments(run.dir)) == 1


def test_a_logger_joins_the_open_run(server: ServerProcess) -> None:
    run = wandb.init("shared", config={"lr": 0.5}, port=server.port)
    with FlexLogger(PLOTS, METERS, config={"batch": 8}) as stat:
        assert (stat.folder, stat.url) == (run.dir, run.url)
        log_both(stat)
        check_both(server, run)
    wandb.log({"lr": 0.0})
    wandb.finish()
    card = read_card(run.dir)
    assert card is not None
    assert (card.status, card.config, card.summary) == (
        "finished",
        {"lr": 0.5, "batch": 8},
        {"train_loss": 4.0, "lr": 0.0},
    )


def test_init_joins_the_run_of_an_open_logger(server: ServerProcess) -> None:
    view = MemorySink()
    with FlexLogger(PLOTS, METERS, project="shared", port=server.port) as stat:
        run = wandb.init("shared", name="mine", tags=["both"], config={"lr": 0.5}, dashboard={"sinks": [view]})
        assert (run.dir, run.url, run.name, run.tags) == (stat.folder, stat.url, "mine", ("both",))
        log_both(stat)
        check_both(server, run)
        assert len(view.series("lr")) == 5
        wandb.finish()
        stat.add({"train_loss": 5.0})
        stat.log(5)
    card = read_card(run.dir)
    assert card is not None
    assert (card.name, card.tags, card.config, card.resumed) == ("mine", ["both"], {"lr": 0.5}, 0)
    assert card.summary["train_loss"] == 5.0


@pytest.mark.parametrize("asked", [{"project": "other"}, {"id": "other"}, {"resume": "allow"}, {"mode": "offline"}])
def test_init_that_asks_for_another_run_gets_its_own(asked: dict[str, Any]) -> None:
    with FlexLogger(PLOTS, METERS, sinks=[]) as stat:
        run = wandb.init(**{"mode": "offline", **asked})
        assert run.dir != stat.folder


def test_each_init_is_a_run_also_where_a_logger_keeps_the_last_one_open() -> None:
    first = wandb.init(mode="offline")
    with FlexLogger(PLOTS, METERS) as stat:
        second = wandb.init(mode="offline")
        assert stat.folder == first.dir != second.dir


def test_the_same_name_in_both_is_refused_where_it_is_declared() -> None:
    wandb.init(mode="offline", dashboard={"plots": PLOTS, "meters": METERS})
    with pytest.raises(ConfigError, match="another logger of this run has a meter of this name"):
        FlexLogger(PLOTS, METERS)
