"""A tiny model made from a config, trained by the real Trainer: what its run then holds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

import flexlogger.runs as runs
from flexlogger.integrations.transformers import FlexTrainerCallback
from flexlogger.runs.card import Card, read_card
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Words(torch.utils.data.Dataset[dict[str, Any]]):
    """Sixteen sentences of four words; the first word says the label."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": torch.tensor([index % 2 + 1, 3, 4, index % 5]), "labels": index % 2}


def model() -> BertForSequenceClassification:
    size = {"vocab_size": 8, "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 8}
    return BertForSequenceClassification(BertConfig(num_hidden_layers=1, num_attention_heads=2, **size))


def trainer(callback: FlexTrainerCallback, folder: Path, **options: Any) -> Trainer:
    said = {"max_steps": 4, "logging_steps": 1, "eval_strategy": "steps", "eval_steps": 2, "save_strategy": "no"}
    args = TrainingArguments(
        str(folder), per_device_train_batch_size=4, report_to="none", disable_tqdm=True, use_cpu=True, **said | options
    )
    return Trainer(model(), args, train_dataset=Words(), eval_dataset=Words(), callbacks=[callback])


def card_of(run: runs.TrackedRun | None) -> Card:
    assert run is not None
    card = read_card(run.dir)
    assert card is not None
    return card


def test_what_the_trainer_logs_is_in_the_log_and_on_the_dashboard(server: ServerProcess, tmp_path: Path) -> None:
    callback = FlexTrainerCallback(project="tiny", port=server.port)
    training = trainer(callback, tmp_path, learning_rate=0.25, run_name="first")
    training.train()
    training.predict(Words())
    run = callback.run
    assert run is not None
    assert run.flush()
    said = training.state.log_history
    for name, logged in (("loss", "train/loss"), ("learning_rate", "train/learning_rate"), ("eval_loss", "eval/loss")):
        truth = [(entry["step"], pytest.approx(entry[name])) for entry in said if name in entry]
        assert len(truth) == (2 if name == "eval_loss" else 4)
        assert traces(run.session, server.url, logged) == {logged: truth}
    assert math.isfinite(RunReader(run.dir).series("test/loss").values[0])
    run.finish()
    card = card_of(run)
    assert (card.project, card.name, card.status) == ("tiny", "first", "finished")
    assert card.config["learning_rate"] == 0.25
    assert card.config["model"]["hidden_size"] == 8
    assert card.summary["train_loss"] == pytest.approx(said[-1]["train_loss"])
    assert card.summary["parameters"] == sum(p.numel() for p in training.model.parameters())  # type: ignore[union-attr]


def test_a_run_that_the_script_opened_is_shared(tmp_path: Path) -> None:
    mine = runs.init("mine", mode="offline")
    callback = FlexTrainerCallback()
    trainer(callback, tmp_path, run_name="not mine").train()
    assert callback.run is mine
    assert mine.name == mine.id
    assert "train/loss" in mine.summary


def test_the_model_at_the_end_is_an_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    callback = FlexTrainerCallback(log_model=True, mode="offline")
    training = trainer(callback, tmp_path / "out")
    training.train()
    assert callback.run is not None
    again = BertForSequenceClassification.from_pretrained(callback.run.use_model(f"model-{callback.run.id}:final"))
    truth = training.model.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(value, truth[name]) for name, value in again.state_dict().items())


def test_each_checkpoint_is_a_version(tmp_path: Path) -> None:
    callback = FlexTrainerCallback(log_model="all", mode="offline")
    trainer(callback, tmp_path, save_strategy="steps", save_steps=2).train()
    runs.finish()
    logged = card_of(callback.run).artifacts
    assert [(entry["version"], set(entry["aliases"]) - {"latest"}) for entry in logged] == [
        ("v0", {"checkpoint-2"}),
        ("v1", {"checkpoint-4"}),
    ]


def test_each_trial_of_a_search_has_a_run(tmp_path: Path) -> None:
    callback, args = FlexTrainerCallback(mode="offline"), TrainingArguments(str(tmp_path), report_to="none")
    seen = []
    for trial in ("one", "two"):
        state = TrainerState(is_hyper_param_search=True, trial_name=trial)
        callback.on_train_begin(args, state, TrainerControl(), model())
        seen.append(callback.run)
    assert [run.name for run in seen if run is not None] == ["one", "two"]
    assert seen[0] is not seen[1]


def test_ranks_but_0_open_no_run(tmp_path: Path) -> None:
    callback, args = FlexTrainerCallback(log_model="all"), TrainingArguments(str(tmp_path), report_to="none")
    state, control = TrainerState(is_world_process_zero=False), TrainerControl()
    callback.on_train_begin(args, state, control, model())
    callback.on_log(args, state, control, logs={"loss": 1.0})
    callback.on_save(args, state, control)
    callback.on_train_end(args, state, control)
    assert callback.run is None
    assert runs.run is None
