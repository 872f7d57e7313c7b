"""A callback for the Trainer of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import flexlogger.runs as runs
from flexlogger.errors import MissingExtraError
from flexlogger.integrations.layers import describe_model
from flexlogger.integrations.shared import check_log_model, use_run

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
except ImportError as error:
    raise MissingExtraError("flexlogger.integrations.transformers", "transformers", "transformers") from error

DEFAULT_PROJECT = "transformers"
AT_THE_END = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos")
"""What the Trainer says once, of the whole training: entries of the summary, no curves."""


class FlexTrainerCallback(TrainerCallback):
    """Logs what a Trainer logs into a run: `Trainer(…, callbacks=[FlexTrainerCallback(project="bert")])`.

    Values are called `train/loss`, `eval/loss` … at the Trainer's global step. The training arguments become the run's
    config, the model's own config is under `model`. `settings` are those of `flexlogger.runs.init`: `project`
    ("transformers" if not given), `name` (the arguments' run_name), `id`, `tags`, `dashboard`, `server` …

    Where none of project, id, name and dir is given, and the script has opened a run with `flexlogger.runs.init`, that
    run is logged into. Each trial of a hyper-parameter search has a run of its own.

    `log_model` logs the model as it is at the end of training (True) or each checkpoint as it is saved ("all"), as
    versions of an artifact `model-<id>`.

    The run is open from the begin of training until the script ends, or `run.finish()`; only rank 0 opens it.
    """

    def __init__(self, log_model: Literal["all"] | bool = False, **settings: Any) -> None:
        check_log_model(log_model)
        self._log_model = log_model
        self._settings = settings
        self._opened = False
        self.run: runs.TrackedRun | None = None
        """The run; None before training, and on ranks but 0."""

    # ---- what the Trainer calls

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any
    ) -> None:
        """Open the run, and note what is trained how."""
        if not state.is_world_process_zero:
            return
        if state.is_hyper_param_search and self.run is not None and self._opened:
            self.run.finish()
            self.run = None
        run = self._ready(args, state)
        run.config.update(args.to_dict())
        if hasattr(getattr(model, "config", None), "to_dict"):
            run.config["model"] = model.config.to_dict()
        if model is not None:
            describe_model(run, model)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log what the Trainer has to say, of a step or of the whole training."""
        if state.is_world_process_zero and logs:
            run = self._ready(args, state)
            run.summary.update({name: value for name, value in logs.items() if name in AT_THE_END})
            values = {_renamed(name): value for name, value in logs.items() if name not in AT_THE_END}
            run.log(values, step=state.global_step)

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        """Log the metrics of a prediction, as `test/…`."""
        self.on_log(args, state, control, logs=metrics)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Log the checkpoint, where each is asked for."""
        if self._log_model == "all" and state.is_world_process_zero:
            name = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            self._log_folder(self._ready(args, state), Path(str(args.output_dir), name), state, [name])

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        processing_class: Any = None,
        **kwargs: Any,
    ) -> None:
        """Log the model where that is asked for; wait until all is on disk."""
        if not state.is_world_process_zero:
            return
        run = self._ready(args, state)
        if self._log_model is True:
            with TemporaryDirectory(prefix="flexlogger-") as folder:
                for part in (model, processing_class):
                    if hasattr(part, "save_pretrained"):
                        part.save_pretrained(folder)
                self._log_folder(run, Path(folder), state, ["final"])
        run.flush(views=False)

    # ---- what is behind it

    def _ready(self, args: TrainingArguments, state: TrainerState) -> runs.TrackedRun:
        if self.run is None:
            self.run, self._opened = use_run(self._settings, DEFAULT_PROJECT)
            name = state.trial_name or args.run_name
            if self._opened and name is not None and self._settings.get("name") is None:
                self.run.name = str(name)
        return self.run

    def _log_folder(self, run: runs.TrackedRun, folder: Path, state: TrainerState, aliases: list[str]) -> None:
        metadata = {"step": state.global_step, "epoch": state.epoch, "best_metric": state.best_metric}
        artifact = runs.Artifact(f"model-{run.id}", type="model", metadata=metadata)
        artifact.add_dir(folder)
        run.log_artifact(artifact, aliases=aliases)


def _renamed(name: str) -> str:
    """As wandb's callback calls it.

    >>> _renamed("eval_loss"), _renamed("test_loss"), _renamed("learning_rate")
    ('eval/loss', 'test/loss', 'train/learning_rate')
    """
    phase, _, rest = name.partition("_")
    return f"{phase}/{rest}" if phase in ("eval", "test") and rest else f"train/{name}"
