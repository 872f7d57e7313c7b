"""How a run of the run API begins and ends, and what its folder says then."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import flexlogger.runs as wandb
from flexlogger import ConfigError, RunLogError, ValueRefusedError
from flexlogger.runs.card import Card, read_card
from flexlogger.runs.reader import RunReader
from tests import warm

OFFLINE: dict[str, Any] = {"mode": "offline"}


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    yield
    wandb.finish()


def card_of(run: wandb.TrackedRun) -> Card:
    card = read_card(run.dir)
    assert card is not None
    return card


def python(code: str, status: int = 0, **environment: str) -> str:
    """Run a script with the run API imported; return what it printed on standard error."""
    code = f"import flexlogger.runs as wandb\n{code}"
    process = warm.start(code, env=os.environ | environment)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    return errors


def test_the_card_says_what_init_was_told() -> None:
    run = wandb.init(
        "demo", name="mnist demo", id="one", tags=["a", "b"], notes="first try", config={"lr": 0.1}, **OFFLINE
    )
    wandb.config.epochs = 3
    wandb.log({"loss": 0.5})
    wandb.summary["acc"] = torch.tensor(0.75)
    wandb.finish()
    card = card_of(run)
    assert (card.id, card.project, card.name, card.tags, card.notes) == (
        "one",
        "demo",
        "mnist demo",
        ["a", "b"],
        "first try",
    )
    assert card.config == {"lr": 0.1, "epochs": 3}
    assert card.summary == {"loss": 0.5, "acc": 0.75}
    assert card.status == "finished"
    assert (run.id, run.name, run.project, run.tags, run.notes) == (
        "one",
        "mnist demo",
        "demo",
        ("a", "b"),
        "first try",
    )


def test_what_it_is_called_may_be_said_later() -> None:
    run = wandb.init("demo", id="one", tags=["a"], notes="old", **OFFLINE)
    run.log({"loss": 0.5})
    run.name, run.tags, run.notes = "better", (*run.tags, "b"), ""
    wandb.finish()
    card = card_of(run)
    assert (card.name, card.tags, card.notes, card.resumed) == ("better", ["a", "b"], "", 0)


def test_parsed_arguments_and_a_lone_tag_are_taken() -> None:
    run = wandb.init(config=argparse.Namespace(lr=0.1), tags="demo", **OFFLINE)
    assert (run.config.lr, run.tags, run.project) == (0.1, ("demo",), "default")


def test_a_context_ends_the_run_as_crashed_where_it_raises() -> None:
    run = wandb.init(**OFFLINE)

    def fail() -> None:
        with run:
            wandb.log({"loss": 0.5})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert card_of(run).status == "crashed"
    with wandb.init(**OFFLINE) as run:
        wandb.log({"loss": 0.5})
    assert card_of(run).status == "finished"
    assert wandb.run is None


def test_an_exit_code_tells_how_it_ended() -> None:
    run = wandb.init(**OFFLINE)
    run.log({"loss": 0.5})
    wandb.finish(exit_code=1)
    assert card_of(run).status == "crashed"


def test_the_interpreters_exit_ends_the_run(tmp_path: Path) -> None:
    python("wandb.init(id='a', mode='offline')\nwandb.log({'loss': 0.5}, commit=False)\nwandb.log({'b': 1}, step=7)")
    told = python("wandb.init(id='b', mode='offline')\nwandb.log({'loss': 0.5})\n1 / 0", status=1)
    assert "ZeroDivisionError" in told
    a, b = (tmp_path / "runs" / "default" / name for name in "ab")
    assert [(s.tolist(), v.tolist()) for s, v in (RunReader(a).series(n) for n in ("loss", "b"))] == [
        ([0], [0.5]),
        ([7], [1.0]),
    ]
    statuses = [card.status for folder in (a, b) if (card := read_card(folder)) is not None]
    assert statuses == ["finished", "crashed"]


def test_a_second_init_finishes_the_first_run_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    first = wandb.init(id="first", **OFFLINE)
    wandb.log({"loss": 0.5})
    second = wandb.init(id="second", **OFFLINE)
    assert first.finished
    assert wandb.run is second
    assert card_of(first).status == "finished"
    assert "run first is finished" in caplog.text


def test_an_init_that_is_refused_leaves_the_open_run_alone() -> None:
    run = wandb.init(**OFFLINE)
    with pytest.raises(ConfigError):
        wandb.init(dashboard={"plots": {"p": {"type": "lime"}}})
    assert wandb.run is run


@pytest.mark.parametrize(
    "call",
    [
        lambda: wandb.log({"loss": 1.0}),
        lambda: wandb.define_metric("loss", summary="min"),
        lambda: wandb.config.lr,
        lambda: wandb.config.update({"lr": 1}),
        lambda: wandb.config["lr"],
        lambda: setattr(wandb.config, "lr", 1),
        lambda: wandb.summary.update({"acc": 1}),
        lambda: "acc" in wandb.summary,
        lambda: wandb.log_artifact("x"),
        lambda: wandb.use_artifact("x"),
        lambda: wandb.log_model("x"),
        lambda: wandb.use_model("x"),
    ],
)
def test_before_init_every_call_says_what_to_do(call: Any) -> None:
    assert wandb.run is None
    with pytest.raises(RunLogError, match=r"no run is open; call flexlogger\.runs\.init\(\) first"):
        call()
    wandb.finish()


def test_config_and_summary_taken_hold_of_before_init_are_the_open_runs() -> None:
    config, summary = wandb.config, wandb.summary
    wandb.init(config={"lr": 0.1}, **OFFLINE)
    config.depth = 3
    summary["acc"] = 0.5
    assert (config["lr"], list(config), "acc" in summary) == (0.1, ["lr", "depth"], True)
    assert wandb.config.depth == 3


def test_a_forked_worker_logs_into_the_run() -> None:
    run = wandb.init(**OFFLINE)
    run.log({"loss": 1.0}, commit=False)
    worker = multiprocessing.get_context("fork").Process(target=lambda: wandb.log({"seen": 2.0}, step=3))
    worker.start()
    worker.join()
    wandb.finish()
    reader = RunReader(run.dir)
    assert reader.series("seen")[1].tolist() == [2.0]
    assert reader.series("loss")[1].tolist() == [1.0]
    assert card_of(run).status == "finished"


def test_login_has_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert wandb.login(key="secret", relogin=True) is True
    said = capsys.readouterr().err
    assert "no login is needed" in said
    assert "secret" not in said


def test_keywords_of_wandbs_without_a_meaning_here_are_taken_and_others_refused() -> None:
    wandb.init(entity="me", group="g", job_type="train", reinit=True, **OFFLINE)
    with pytest.raises(ValueRefusedError, match="init: unknown keyword 'projct'; did you mean 'project'"):
        wandb.init(projct="demo")
    with pytest.raises(ValueRefusedError, match="init: mode: unknown word 'ofline'; did you mean 'offline'"):
        wandb.init(mode="ofline")  # type: ignore[arg-type]
    with pytest.raises(ValueRefusedError, match="init: resume: unknown word 'mst'; did you mean 'must'"):
        wandb.init(resume="mst")
    with pytest.raises(ValueRefusedError, match="init: reinit: 'create_new' asks for several runs at once"):
        wandb.init(reinit="create_new")


def test_disabled_leaves_nothing_behind(tmp_path: Path) -> None:
    run = wandb.init("demo", mode="disabled", config={"lr": 0.1})
    wandb.define_metric("loss", summary="min")
    for loss in (3.0, 1.0, 2.0):
        wandb.log({"loss": loss})
    assert (wandb.config.lr, run.summary["loss"]) == (0.1, {"min": 1.0})
    assert run.url is None
    (tmp_path / "model").write_text("weights")
    wandb.log_model(tmp_path / "model", "model")
    assert wandb.use_artifact("model").version == "v0"
    wandb.finish()
    assert not (tmp_path / "runs").exists()


def test_offline_draws_nothing_and_keeps_everything() -> None:
    run = wandb.init(**OFFLINE)
    wandb.log({"loss": 0.5})
    assert run.url is None
    assert run.flush()
    assert RunReader(run.dir).series("loss")[1].tolist() == [0.5]


def test_a_finished_run_refuses_more() -> None:
    run = wandb.init(**OFFLINE)
    run.log({"loss": 0.5})
    run.finish()
    run.finish()
    with pytest.raises(RunLogError, match="log: the run is finished"):
        run.log({"loss": 0.5})
    for refused in (lambda: run.config.update({"a": 1}), lambda: run.summary.update({"a": 1})):
        with pytest.raises(ValueRefusedError, match="the run is finished"):
            refused()
    assert run.summary["loss"] == 0.5


def test_environment_variables_hold(tmp_path: Path) -> None:
    code = "run = wandb.init(mode='offline'); run.log({'a': 1}); print(run.dir)"
    python(code, FLEXLOGGER_DIR=str(tmp_path / "elsewhere"), FLEXLOGGER_RUN="mine")
    assert (tmp_path / "elsewhere" / "default" / "mine" / "run.json").exists()


def test_status_and_notebooks_show_how_it_is_doing() -> None:
    run = wandb.init("demo", name="<b>", **OFFLINE)
    run.log({"loss": 0.125, "acc": torch.tensor(0.5), "note": "x"})
    assert run.flush()
    status = run.status()
    assert (status["run"], status["refused"], status["dropped"]) == (run.id, {}, {})
    shown = run._repr_html_()
    assert "<td>loss</td><td>0.125</td>" in shown
    assert "<td>acc</td><td>0.5</td>" in shown
    assert "demo/&lt;b&gt;" in shown
    assert repr(run) == f"<flexlogger run demo/{run.id}>"


def test_no_module_takes_a_name_that_means_the_current_run() -> None:
    """Importing a submodule would put it in the way of `wandb.summary`."""
    folder = Path(wandb.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert not modules & {"config", "run", "summary", *wandb.__all__}


def test_a_call_that_is_refused_records_nothing() -> None:
    run = wandb.init(**OFFLINE)
    run.log({"loss": 1.0})
    for refused in (lambda: run.log({"loss": 2.0, "bad": object()}), lambda: run.log({"loss": 2.0}, step=True)):
        with pytest.raises(ValueRefusedError, match="log: "):
            refused()
    with pytest.raises(ValueRefusedError, match="log: expected a dict of names and values, but got 3"):
        run.log(3)  # type: ignore[arg-type]
    assert (run.summary["loss"], run.step) == (1.0, 1)
