"""What Lightning expects of a logger (its own tests' list), and what a run then holds, with a real Trainer."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers.logger import DummyExperiment
from lightning.pytorch.tuner.tuning import Tuner
from lightning.pytorch.utilities import rank_zero_only

import flexlogger.runs as runs
from flexlogger import RunLogError, ValueRefusedError
from flexlogger.integrations.lightning import FlexLightningLogger
from flexlogger.runs.card import Card, read_card
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:lightning.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.rank_zero.LightningDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:Starting from v1.9.0, `tensorboardX`:UserWarning"),
]


class Model(BoringModel):
    def __init__(self, lr: float = 0.1, batch_size: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = self.step(batch)
        self.log("train_some_val", loss)
        return {"loss": loss}

    def on_validation_epoch_end(self) -> None:
        self.log_dict({"early_stop_on": torch.tensor(1.0), "val_loss": torch.tensor(0.5)})

    def on_test_epoch_end(self) -> None:
        self.log("test_loss", torch.tensor(2.0))


class Watched(FlexLightningLogger):
    """Remembers what the Trainer called it with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.history: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        self.history.append((step, metrics))


def offline(**settings: Any) -> FlexLightningLogger:
    return FlexLightningLogger(mode="offline", **settings)


def trainer(logger: Any, folder: Path, **options: Any) -> Trainer:
    options = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 1, "limit_test_batches": 1} | options
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return Trainer(logger=logger, log_every_n_steps=1, default_root_dir=folder, **quiet, **options)


def card_of(logger: FlexLightningLogger) -> Card:
    assert logger.log_dir is not None
    card = read_card(Path(logger.log_dir))
    assert card is not None
    return card


# ---- what a run holds after training


def test_what_the_trainer_logs_is_in_the_log_and_on_the_dashboard(server: ServerProcess, tmp_path: Path) -> None:
    logger = Watched("digits", port=server.port)
    training = trainer(logger, tmp_path, max_epochs=2)
    training.fit(Model())
    training.test(Model())
    names = [(step, sorted(metrics)) for step, metrics in logger.history]
    step_names, end_names = ["epoch", "train_some_val"], ["early_stop_on", "epoch", "val_loss"]
    assert names == [
        *((n, step_names) for n in range(3)),
        (2, end_names),
        *((n, step_names) for n in range(3, 6)),
        (5, end_names),
        (6, ["epoch", "test_loss"]),
    ]
    truth = [(step, metrics["train_some_val"]) for step, metrics in logger.history if "train_some_val" in metrics]
    run = logger.experiment
    assert run.flush()
    assert traces(run.session, server.url, "train_some_val") == {"train_some_val": truth}
    series = RunReader(run.dir).series("train_some_val")
    assert list(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == truth
    assert RunReader(run.dir).series("test_loss").values.tolist() == [2.0]


def test_hyper_parameters_and_the_model_are_noted(tmp_path: Path) -> None:
    logger = offline()
    trainer(logger, tmp_path).fit(Model(lr=0.25))
    logger.log_hyperparams(Namespace(seed=3, kind=torch.float32))
    logger.log_hyperparams({"nested": {"width": 8}}, {"hp_metric": 0.5})
    logger.experiment.finish()
    card = card_of(logger)
    assert card.config == {"lr": 0.25, "batch_size": 1, "seed": 3, "kind": "torch.float32", "nested": {"width": 8}}
    assert (card.summary["parameters"], card.summary["trainable_parameters"]) == (66, 66)
    assert card.summary["hp_metric"] == 0.5
    (table,) = [d for item in RunReader(Path(logger.log_dir or "")).items() for d in getattr(item, "data", ())]
    assert table.name == "model"


def test_a_prefix_comes_before_the_names() -> None:
    logger = offline(prefix="tmp")
    logger.log_metrics({"test": 1.0}, step=0)
    assert logger.experiment.summary["tmp-test"] == 1.0


# ---- where it lies


def test_the_name_is_the_project_and_the_version_the_runs_id(tmp_path: Path) -> None:
    logger = offline(save_dir=tmp_path, version="v1")
    assert (logger.name, logger.version, logger.save_dir) == ("lightning_logs", "v1", str(tmp_path))
    assert logger.root_dir == str(tmp_path / "lightning_logs")
    assert logger.log_dir == str(tmp_path / "lightning_logs" / "v1") == str(logger.experiment.dir)
    unnamed = offline()
    assert (unnamed.name, unnamed.version, unnamed.save_dir) == ("lightning_logs", None, None)
    assert unnamed.log_dir is None


def test_checkpoints_lie_in_the_runs_folder(tmp_path: Path) -> None:
    logger = offline()
    training = trainer(logger, tmp_path)
    training.fit(Model())
    assert training.log_dir == logger.save_dir
    assert Path(training.checkpoint_callback.best_model_path).parent == logger.experiment.dir / "checkpoints"  # type: ignore[union-attr]


def test_a_version_that_exists_is_continued(tmp_path: Path) -> None:
    first = offline(version="v1")
    first.log_metrics({"loss": 1.0}, step=4)
    first.experiment.finish()
    again = offline(version="v1")
    again.log_metrics({"loss": 0.5}, step=5)
    again.experiment.finish()
    assert RunReader(again.experiment.dir).series("loss").steps.tolist() == [4, 5]


# ---- which run


def test_a_run_that_the_script_opened_is_shared_and_left_open(tmp_path: Path) -> None:
    mine = runs.init("mine", id="one", mode="offline")
    logger = FlexLightningLogger()
    trainer(logger, tmp_path).fit(Model())
    assert logger.experiment is mine
    assert (logger.name, logger.version) == ("mine", "one")
    logger.finalize("failed")
    assert not mine.finished
    assert FlexLightningLogger(version="two", mode="offline").experiment is not mine


def test_another_loggers_run_is_not_shared() -> None:
    """Each fold of a cross-validation has a run."""
    first, second = offline(), offline()
    one, two = first.experiment, second.experiment
    assert one is not two
    assert one.finished
    assert two.project == "lightning_logs"


def test_what_init_refuses_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ValueRefusedError, match="did you mean 'notes'"):
        trainer(FlexLightningLogger(note="x"), tmp_path).fit(Model())


# ---- the end


class Failing(Model):
    fails = True

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if self.fails and batch_idx == 2:
            raise ArithmeticError("on purpose")
        return super().training_step(batch, batch_idx)


def test_a_fit_that_raises_leaves_a_crashed_run_and_another_fit_continues_it(tmp_path: Path) -> None:
    logger, model = offline(), Failing()
    with pytest.raises(ArithmeticError):
        trainer(logger, tmp_path).fit(model)
    version = logger.version
    assert card_of(logger).status == "crashed"
    model.fails = False
    trainer(logger, tmp_path).fit(model)
    logger.experiment.finish()
    assert logger.version == version
    assert card_of(logger).status == "finished"


def test_a_finished_run_says_so(tmp_path: Path) -> None:
    logger = offline()
    logger.experiment.finish()
    with pytest.raises(RunLogError, match="finished"):
        logger.log_metrics({"loss": 1.0})


# ---- checkpoints as artifacts


def versions(logger: FlexLightningLogger) -> list[tuple[str, str]]:
    artifacts = card_of(logger).artifacts
    return [(entry["version"], ",".join(sorted(entry["aliases"]))) for entry in artifacts]


def test_all_checkpoints_become_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logger = offline(log_model="all")
    callback = ModelCheckpoint(monitor="train_some_val", save_top_k=-1, every_n_train_steps=1)
    trainer(logger, tmp_path, callbacks=[callback]).fit(Model())
    logger.experiment.finish()
    assert [version for version, _ in versions(logger)] == ["v0", "v1", "v2"]
    with runs.init(logger.name, mode="offline") as run:
        best = run.use_artifact(f"model-{logger.version}:best")
        assert best.metadata["original_filename"] == Path(callback.best_model_path).name
        assert best.metadata["score"] == pytest.approx(float(callback.best_model_score or 0))
        state = torch.load(run.use_model(best.name + ":best"), weights_only=False)["state_dict"]
    truth = torch.load(callback.best_model_path, weights_only=False)["state_dict"]
    assert all(torch.equal(state[name], truth[name]) for name in truth)


def test_the_checkpoints_that_are_left_are_logged_at_the_end(tmp_path: Path) -> None:
    logger = offline(log_model=True)
    trainer(logger, tmp_path, max_epochs=3).fit(Model())
    logger.experiment.finish()
    assert versions(logger) == [("v0", "best,latest")]


def test_no_checkpoint_is_logged_unasked(tmp_path: Path) -> None:
    logger = offline()
    trainer(logger, tmp_path).fit(Model())
    logger.experiment.finish()
    assert versions(logger) == []


# ---- copies and ranks


def test_a_pickled_trainer_logs_into_the_same_run(tmp_path: Path) -> None:
    logger = offline(save_dir=tmp_path)
    logger.log_metrics({"a": 1.0})
    logger.save()
    copy = pickle.loads(pickle.dumps(trainer(logger, tmp_path)))
    copy.logger.log_metrics({"acc": 1.0})
    assert (copy.logger.name, copy.logger.save_dir) == (logger.name, logger.save_dir)
    assert copy.logger.experiment is logger.experiment


@pytest.mark.parametrize("method", ["lr_find", "scale_batch_size"])
def test_tuners_leave_the_logger(tmp_path: Path, method: str) -> None:
    model, logger = Model(), offline()
    training = trainer(logger, tmp_path, enable_checkpointing=method == "lr_find")
    getattr(Tuner(training), method)(model)
    assert training.logger is model.logger is logger


def test_ranks_but_0_open_no_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = offline(save_dir=tmp_path)
    assert isinstance(logger.experiment, DummyExperiment)
    assert logger.experiment.something(foo="bar") is None
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.log_hyperparams({"lr": 0.1})
    logger.log_graph(Model())
    logger.finalize("success")
    pickle.dumps(logger)
    assert runs.run is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp"])
def test_two_ranks_have_one_run(strategy: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_ranks.py")
    environment = os.environ | {"FLEXLOGGER_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", str(script), strategy]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "lightning_logs").iterdir()
    reader = RunReader(folder)
    assert reader.series("loss").steps.tolist() == [0, 1, 2]
    assert reader.card.status == "finished"
    assert reader.card.config == {"lr": 0.5}
    assert not reader.damage
