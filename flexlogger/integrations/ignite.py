"""A logger for ignite's engines, and its handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn

import flexlogger.runs as runs
from flexlogger.errors import MissingExtraError, ValueRefusedError
from flexlogger.integrations.shared import use_run
from flexlogger.model.modellogger import TooledModelLogger

try:
    import ignite.distributed as idist
    from ignite.engine import Engine
    from ignite.handlers.base_logger import BaseLogger, BaseOptimizerParamsHandler, BaseOutputHandler
except ImportError as error:
    raise MissingExtraError("flexlogger.integrations.ignite", "pytorch-ignite", "ignite") from error

DEFAULT_PROJECT = "ignite"


class FlexIgniteLogger(BaseLogger):
    """Logs what ignite's engines do into a run, as ignite's other loggers: attach handlers to events of an engine.

    `settings` are those of `flexlogger.runs.init`: `project` ("ignite" if not given), `name`, `id`, `config`, `tags`,
    `dashboard`, `server` … Where none of project, id, name and dir is given, and the script has opened a run with
    `flexlogger.runs.init`, that run is logged into.

    As a context manager, or at `close`, it ends the run that it has opened. Only rank 0 opens one; elsewhere `run` is
    None and the handlers do nothing.

    >>> from ignite.engine import Events
    >>> def train_step(engine, batch):
    ...     return {"loss": batch / 10}
    >>> trainer = Engine(train_step)
    >>> with FlexIgniteLogger(mode="disabled") as logger:
    ...     _ = logger.attach_output_handler(
    ...         trainer, Events.ITERATION_COMPLETED, tag="train", output_transform=lambda output: output
    ...     )
    ...     _ = trainer.run([1.0, 2.0, 3.0])
    ...     logger.run.summary["train/loss"]
    0.3
    """

    def __init__(self, **settings: Any) -> None:
        self.run: runs.TrackedRun | None = None
        """What `flexlogger.runs.init` returns."""
        self._opened = False
        self._models: list[ModelHandler] = []
        if idist.get_rank() == 0:
            self.run, self._opened = use_run(settings, DEFAULT_PROJECT)

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log values at a step; see `flexlogger.runs.log`."""
        if self.run is not None:
            self.run.log(values, step=step)

    def attach_model_handler(self, engine: Engine, event_name: Any, *args: Any, **kwargs: Any) -> Any:
        """Attach a `ModelHandler`; after the first two, all arguments are its own."""
        return self.attach(engine, ModelHandler(*args, **kwargs), event_name=event_name)

    def close(self) -> None:
        """Let go of the models, and end the run that was opened here."""
        while self._models:
            self._models.pop().close()
        if self.run is not None and self._opened:
            self.run.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None and self.run is not None and self._opened:
            self.run.finish(exit_code=1)
        self.close()

    def _create_output_handler(self, *args: Any, **kwargs: Any) -> OutputHandler:
        return OutputHandler(*args, **kwargs)

    def _create_opt_params_handler(self, *args: Any, **kwargs: Any) -> OptimizerParamsHandler:
        return OptimizerParamsHandler(*args, **kwargs)


def _checked(logger: Any, handler: Any) -> FlexIgniteLogger:
    if not isinstance(logger, FlexIgniteLogger):
        what = f"{type(handler).__name__}: expected a FlexIgniteLogger, but got {type(logger).__name__}"
        raise ValueRefusedError(f"{what}; attach it with the logger it belongs to")
    return logger


class OutputHandler(BaseOutputHandler):
    """Logs an engine's output and metrics as `tag/name`; its arguments are those of ignite's own output handlers.

    Numbers and strings, and what is in dicts and lists of them. Tensors may stay on their device.
    """

    def __call__(self, engine: Engine, logger: Any, event_name: Any) -> None:
        """Log what there is now, at the step that `global_step_transform` says."""
        values: dict[str, Any] = {}
        if self.metric_names is not None:
            metrics = engine.state.metrics
            names = metrics if self.metric_names == "all" else self.metric_names
            values |= {name: metrics[name] for name in names if name in metrics}
        if self.output_transform is not None:
            output = self.output_transform(engine.state.output)
            values |= output if isinstance(output, dict) else {"output": output}
        for name in self.state_attributes or ():
            values[name] = getattr(engine.state, name, None)
        step = self.global_step_transform(engine, event_name)
        _checked(logger, self).log(dict(_flat(self.tag, values)), step=step)


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    """What is in dicts and lists, under names with slashes, as ignite's other loggers have them.

    >>> _flat("train", {"loss": 0.5, "acc": [1.0, 0.8]})
    [('train/loss', 0.5), ('train/acc/0', 1.0), ('train/acc/1', 0.8)]
    """
    if isinstance(value, Tensor) and value.ndim == 1:
        value = list(value)
    if isinstance(value, Mapping):
        entries = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, list | tuple):
        entries = [(str(key), entry) for key, entry in enumerate(value)]
    else:
        return [(name, value)]
    return [pair for key, entry in entries for pair in _flat(f"{name}/{key}", entry)]


class OptimizerParamsHandler(BaseOptimizerParamsHandler):
    """Logs a parameter of an optimizer's groups, such as the learning rate, as `tag/lr/group_0`."""

    def __call__(self, engine: Engine, logger: Any, event_name: Any) -> None:
        """Log what they are now."""
        name = f"{self.tag}/{self.param_name}" if self.tag else self.param_name
        groups = enumerate(self.optimizer.param_groups)
        values = {f"{name}/group_{number}": group[self.param_name] for number, group in groups}
        _checked(logger, self).log(values, step=engine.state.get_event_attrib_value(event_name))


class ModelHandler:
    """Logs statistics of a model's weights and gradients, layer by layer, each time its event comes.

    It is a `TooledModelLogger` in the logger's run; `options` are that one's: `stats`, `layers`, `mode`, `prefix` …
    Gradients are those that are there when the event comes, so it has to come before they are set to zero:
    `Events.ITERATION_COMPLETED(every=100)` does, in ignite's own trainers.
    """

    def __init__(self, model: nn.Module, **options: Any) -> None:
        self._model = model
        self._options: dict[str, Any] = {"sources": ["weights", "grads"], "stats": ["norm", "mean", "std"]} | options
        self._tooled: TooledModelLogger | None = None

    def __call__(self, engine: Engine, logger: Any, event_name: Any) -> None:
        """Log the statistics as they are now."""
        logger = _checked(logger, self)
        if logger.run is None:
            return
        if self._tooled is None:
            self._tooled = TooledModelLogger(self._model, run=logger.run, **self._options)
            logger._models.append(self)
        self._tooled.step(log=True, at=engine.state.get_event_attrib_value(event_name))

    def close(self) -> None:
        """Leave the model and the run."""
        if self._tooled is not None:
            self._tooled.close()
            self._tooled = None
