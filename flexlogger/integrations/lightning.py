"""A logger for Lightning's Trainer."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

import flexlogger.runs as runs
from flexlogger.errors import MissingExtraError
from flexlogger.integrations.layers import describe_model
from flexlogger.integrations.shared import check_log_model, use_run

try:
    from lightning.fabric.loggers.logger import rank_zero_experiment
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError as error:
    raise MissingExtraError("flexlogger.integrations.lightning", "lightning", "lightning") from error

DEFAULT_PROJECT = "lightning_logs"


class FlexLightningLogger(Logger):
    """Logs what a Trainer logs into a run: `Trainer(logger=FlexLightningLogger(project="digits"))`.

    `project` is Lightning's `name` of the logger ("lightning_logs" if not given), the run's id its `version`; a version
    that exists is continued. Checkpoints lie in the run's folder, `save_dir`/`project`/`version`, unless the callback
    has a dirpath. `settings` are those of `flexlogger.runs.init`: `name`, `tags`, `notes`, `dashboard`, `server` …

    Where none of project, version, save_dir and name is given, and the script has opened a run with
    `flexlogger.runs.init`, that run is logged into.

    `log_model` logs checkpoints as versions of an artifact `model-<id>`: those that are left at the end of a fit (True)
    or each as it is written ("all"). `prefix` comes before the names of metrics, with a "-".

    The run is open from the first use until the script ends, or `experiment.finish()`; it is crashed, and closed, once
    a fit raises. Only rank 0 of a training opens it.

    >>> logger = FlexLightningLogger("digits", version="first", mode="offline")
    >>> logger.log_metrics({"loss": 0.5}, step=0)
    >>> logger.name, logger.version, logger.experiment.summary["loss"]
    ('digits', 'first', 0.5)
    >>> logger.experiment.finish()
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        project: str | None = None,
        version: str | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        log_model: Literal["all"] | bool = False,
        prefix: str = "",
        **settings: Any,
    ) -> None:
        super().__init__()
        check_log_model(log_model)
        self._project = project
        self._id = version
        self._save_dir = os.fspath(save_dir) if save_dir is not None else None
        self._log_model = log_model
        self._prefix = prefix
        self._settings = settings
        self._experiment: runs.TrackedRun | None = None
        self._opened = False
        self._checkpoints: dict[int, ModelCheckpoint] = {}
        self._logged: dict[str, float] = {}

    @property
    @rank_zero_experiment
    def experiment(self) -> runs.TrackedRun:
        """The run, opened when first asked for; on ranks but 0 something that takes every call and does nothing."""
        if self._experiment is None:
            asked = {"project": self._project, "id": self._id, "dir": self._save_dir, **self._settings}
            self._experiment, self._opened = use_run(asked, DEFAULT_PROJECT)
            self._project, self._id = self._experiment.project, self._experiment.id
            self._save_dir = str(self._experiment.dir.parents[1])
        return self._experiment

    # ---- logging

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics at a step; nothing is waited for."""
        if self._prefix:
            metrics = {f"{self._prefix}{self.LOGGER_JOIN_CHAR}{name}": value for name, value in metrics.items()}
        self.experiment.log(metrics, step=step)

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace | None = None, *args: Any, **kwargs: Any) -> None:
        """Record hyper-parameters in the run's config. What is no plain data is recorded as its text.

        Metrics beside them, as TensorBoard's logger takes, become entries of the summary.
        """
        self.experiment.config.update(params if params is not None else {})
        metrics = args[0] if args else kwargs.get("metrics")
        if isinstance(metrics, Mapping):
            self.experiment.summary.update(metrics)

    @rank_zero_only
    def log_graph(self, model: nn.Module, input_array: Tensor | None = None) -> None:
        """Log the table of the model's layers as `model`; it is never called, so `input_array` is not needed."""
        describe_model(self.experiment, model)

    # ---- checkpoints

    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Log what the callback has written, or keep it in mind for the end."""
        if self._log_model == "all" or (self._log_model and checkpoint_callback.save_top_k == -1):
            self._log_checkpoints(checkpoint_callback)
        elif self._log_model:
            self._checkpoints[id(checkpoint_callback)] = checkpoint_callback

    def _log_checkpoints(self, callback: ModelCheckpoint) -> None:
        """Log the checkpoints of a callback that are new or written anew, oldest first."""
        scores: dict[str, Any] = {
            callback.last_model_path: callback.current_score,
            **callback.best_k_models,
            callback.best_model_path: callback.best_model_score,
        }
        written = {path: Path(path).stat().st_mtime for path in scores if path and Path(path).exists()}
        for path, when in sorted(written.items(), key=lambda entry: entry[1]):
            if self._logged.get(path) != when:
                aliases = ["best"] if path == callback.best_model_path else []
                self.experiment.log_artifact(self._artifact(path, scores[path], callback), aliases=aliases)
                self._logged[path] = when

    def _artifact(self, path: str, score: Any, callback: ModelCheckpoint) -> runs.Artifact:
        metadata = {
            "score": score.item() if isinstance(score, Tensor) else score,
            "original_filename": Path(path).name,
            "monitor": callback.monitor,
            "mode": callback.mode,
        }
        artifact = runs.Artifact(f"model-{self.experiment.id}", type="model", metadata=metadata)
        if Path(path).is_dir():
            artifact.add_dir(path)
        else:
            artifact.add_file(path, name="model.ckpt")
        return artifact

    # ---- the end

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log the checkpoints that are left; wait until all is on disk. The run stays open, unless it failed."""
        if self._experiment is None:
            return
        if status == "failed":
            self._fail()
            return
        for callback in self._checkpoints.values():
            self._log_checkpoints(callback)
        self._checkpoints.clear()
        self._experiment.flush(views=False)

    def _fail(self) -> None:
        """End the run as crashed, where it is ours; another fit continues it."""
        self._checkpoints.clear()
        if self._opened and self._experiment is not None:
            self._experiment.finish(exit_code=1)
            self._experiment = None

    # ---- where it lies

    @property
    def name(self) -> str:
        """The run's project."""
        return self._project or DEFAULT_PROJECT

    @property
    def version(self) -> str | None:
        """The run's id; None before there is one."""
        return self._id

    @property
    def save_dir(self) -> str | None:
        """The folder of the projects; None before there is a run, where it was not given."""
        return self._save_dir

    @property
    def root_dir(self) -> str | None:
        """The project's folder."""
        return os.path.join(self._save_dir, self.name) if self._save_dir is not None else None

    @property
    def log_dir(self) -> str | None:
        """The run's folder."""
        root, version = self.root_dir, self._id
        return os.path.join(root, version) if root is not None and version is not None else None

    def __getstate__(self) -> dict[str, Any]:
        """Without the run, which belongs to this process; a copy elsewhere writes to the same one."""
        _ = self.experiment  # now, so that all copies know its name
        return {**vars(self), "_experiment": None, "_opened": False, "_checkpoints": {}}
