"""The same id goes on in a new process: its curves, its step counter, its summary, its config and its rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flexlogger.runs as wandb
from flexlogger import RunLogError, ValueRefusedError
from flexlogger.runs.card import read_card
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests import warm
from tests.end_to_end.windows import traces, window

OFFLINE: dict[str, Any] = {"mode": "offline"}


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    yield
    wandb.finish()


def python(code: str, status: int = 0) -> str:
    code = f"import os, signal\nimport flexlogger.runs as wandb\n{code}"
    process = warm.start(code)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    return said


KILLED = """
run = wandb.init("p", id="r", config={"lr": 0.1, "depth": 3}, port=PORT)
wandb.define_metric("loss", summary="min,last", step_metric="epoch")
for n in range(10):
    wandb.log({"loss": 10.0 - n, "epoch": n / 10})
wandb.summary["best"] = {"acc": 0.5}
assert run.flush(views=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_goes_on(server: ServerProcess) -> None:
    python(KILLED.replace("PORT", str(server.port)), status=-9)
    run = wandb.init("p", id="r", resume="must", config={"lr": 0.2}, port=server.port)
    assert run.step == 10
    assert run.config == {"lr": 0.2, "depth": 3}
    assert run.summary["best"] == {"acc": 0.5}
    assert run.summary["loss"] == {"last": 1.0, "min": 1.0}
    for n in range(3):
        wandb.log({"loss": 5.0 + n, "epoch": 1.0 + n / 10})
    assert run.summary["loss"] == {"last": 7.0, "min": 1.0}
    assert run.flush()
    both = [(n / 10, 10.0 - n) for n in range(10)] + [(1.0 + n / 10, 5.0 + n) for n in range(3)]
    assert traces(run.session, server.url, "loss") == {"loss": both}
    assert window(run.session, server.url, "loss")["content"]["layout"]["xaxis"]["title"]["text"] == "epoch"
    wandb.finish()
    steps, _ = RunReader(run.dir).series("loss")
    assert steps.tolist() == list(range(13))
    card = read_card(run.dir)
    assert card is not None
    assert (card.status, card.resumed, card.config) == ("finished", 1, {"lr": 0.2, "depth": 3})
    assert card.summary == {"loss": {"min": 1.0, "last": 7.0}, "epoch": 1.2, "best": {"acc": 0.5}}


def test_the_counter_goes_on_behind_a_finished_run() -> None:
    for _ in range(2):
        with wandb.init("p", id="r", **OFFLINE) as run:
            for n in range(3):
                run.log({"loss": float(n)})
    assert RunReader(run.dir).series("loss")[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_must_and_never_say_what_is_wrong() -> None:
    with pytest.raises(RunLogError, match=r"there is no run 'r' in .*, and resume='must' asks for one"):
        wandb.init("p", id="r", resume="must", **OFFLINE)
    assert wandb.run is None
    with pytest.raises(ValueRefusedError, match="resume='must' needs to know which run: give its id"):
        wandb.init("p", resume="must", **OFFLINE)
    with wandb.init("p", id="r", resume="never", **OFFLINE) as run:
        run.log({"loss": 1.0})
    with pytest.raises(RunLogError, match=r"run 'r' exists in .*, and resume='never' asks for a new one"):
        wandb.init("p", id="r", resume="never", **OFFLINE)
    with wandb.init("p", id="r", resume="allow", **OFFLINE) as run:
        assert run.step == 1


@pytest.mark.parametrize("resume", [True, "auto"])
def test_auto_goes_on_with_the_latest_run_if_it_crashed(resume: bool | str, tmp_path: Path) -> None:
    crash = "run = wandb.init('p', id='r', mode='offline'); run.log({'a': 1.0}); 1 / 0"
    python(crash, status=1)
    run = wandb.init("p", resume=resume, **OFFLINE)
    assert (run.id, run.step) == ("r", 1)
    run.log({"a": 2.0})
    wandb.finish()
    fresh = wandb.init("p", resume=resume, **OFFLINE)
    assert fresh.id != "r"
    fresh.log({"a": 1.0})
    wandb.finish()
    elsewhere = wandb.init("q", resume=resume, **OFFLINE)
    assert (elsewhere.project, elsewhere.step) == ("q", 0)


def test_a_step_that_was_held_back_when_the_process_died_is_not_counted_twice() -> None:
    code = """
run = wandb.init("p", id="r", mode="offline")
for n in range(5):
    run.log({"a": float(n)}, step=10 * n)
assert run.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    python(code, status=-9)
    run = wandb.init("p", id="r", **OFFLINE)
    assert run.step == 41
    assert RunReader(run.dir).series("a")[0].tolist() == [0, 10, 20, 30, 40]


def test_the_environment_names_the_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "FLEXLOGGER_RUN", "r")
    for first in (0, 1):
        with wandb.init("p", resume="allow", **OFFLINE) as run:
            assert (run.id, run.step) == ("r", first)
            run.log({"a": 1.0})


def test_a_run_may_be_taken_up_at_an_earlier_step() -> None:
    with wandb.init("p", id="r", **OFFLINE) as run:
        for n in range(10):
            run.log({"loss": 10.0 - n})
    with wandb.init("p", id="r", dashboard={"resume_step": 4}, **OFFLINE) as run:
        run.define_metric("loss", summary="min,max")
        assert run.step == 4
        run.log({"loss": 20.0})
        assert run.summary["loss"] == {"min": 7.0, "max": 20.0}
    assert RunReader(run.dir).series("loss")[0].tolist() == [0, 1, 2, 3, 4]
