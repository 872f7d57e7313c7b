"""The run that `init` returns."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from torch.nn import Module

from flexlogger import faults
from flexlogger.config.model import Dashboard
from flexlogger.endings import ending_of
from flexlogger.errors import RunLogError, ValueRefusedError
from flexlogger.records import Step
from flexlogger.session import Run
from flexlogger.steps import checked_step
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.config import Config
from flexlogger.tracking.keeping import RunArtifacts
from flexlogger.tracking.metrics import AXES, Rules, checked_rule
from flexlogger.tracking.rows import Rows
from flexlogger.tracking.shown import Shown
from flexlogger.tracking.summaries import Known, Summary
from flexlogger.tracking.values import Call
from flexlogger.tracking.windows import Windows

if TYPE_CHECKING:  # what is inside models is imported by who watches one
    from flexlogger.model.snapshot import Snapshot
    from flexlogger.tracking.watch import Watch

CLOSE_S = 5.0


class TrackedRun(Shown):
    """A run as `flexlogger.runs.init` opens it: what is logged is recorded and drawn, nothing of it was declared.

    As a context manager it finishes at the end of the block, as crashed where an exception ended that.
    """

    def __init__(
        self,
        run: Run,
        dashboard: Dashboard,
        config: Mapping[str, Any],
        rules: Rules,
        step: Step,
    ) -> None:
        self._run = run
        self._dashboard = dashboard
        self._rules = rules
        self._refused: dict[str, int] = {}
        self._watches: list[Watch] = []
        self._finished = False
        run.join(self)
        self._rows = Rows(run.pipe, run.readback, step, dashboard.max_media, self._refuse)
        atexit.register(self._rows.release)
        self._windows = Windows(
            dashboard,
            rules,
            lambda plots, meters: run.define(self, plots, meters, dashboard.layout),
            lambda plot, meter: bool(run.clashes(self, [plot], [meter.name])),
        )
        self.config = Config(config, run.configure)
        self._known = Known(run, rules, self._rows.settle)
        self.summary = Summary(self._known, lambda info: run.event("summary", info))
        self._scratch = None if dashboard.runlog or dashboard.sinks else TemporaryDirectory(prefix="flexlogger-")
        project = run.folder.parent if self._scratch is None else Path(self._scratch.name)
        self._artifacts = RunArtifacts(project, run.id, lambda info: run.event("artifact", info))

    # ---- logging

    def log(self, data: Mapping[str, Any], step: Step | None = None, commit: bool | None = None) -> None:
        """Record values under their names, at `step` or the next step; all of it is live on the dashboard.

        Numbers, booleans and 0-d tensors are points of a curve; a vector is a curve an entry; a matrix is a heat map;
        arrays of more axes are images; a string is text; a figure of matplotlib's or plotly's, a data frame, an Image,
        a list of Images, a Histogram, a Table or a chart is itself. A dict inside is logged under dotted names. None
        is skipped.

        A call without a step ends its step, and the next one has the next. With a step, or with commit=False, more may
        be logged at that step; it is one record if it follows within half a second (or any time with commit=False).

        Tensors may stay on their device, and may be changed or freed afterwards. Raises ValueRefusedError, and records
        nothing of the call, for what cannot be logged.
        """
        if self._finished:
            self._refuse_finished("log")
        if step is not None:
            step = checked_step(step)
        now = time()
        values: dict[str, float] = {}
        try:
            for name, value in data.items():
                if value.__class__ is not float or name.__class__ is not str:
                    self._log_any(data, now, step, commit)
                    return
                values[name] = value
        except AttributeError:
            if isinstance(data, Mapping):
                raise
            raise ValueRefusedError(f"log: expected a dict of names and values, but got {data!r}") from None
        if not self._windows.knows(values.keys()):
            self._windows.meet(values)
        self._known.newest.update(values)
        self._rows.add_numbers(values, now, step, commit)

    def _log_any(self, data: Mapping[str, Any], now: float, step: Step | None, commit: bool | None) -> None:
        call = Call(data, self._dashboard.max_media)
        for name, size in call.refused:
            self._refuse(name, size)
        names = call.names
        if not self._windows.knows(names):
            self._windows.meet(names, call.vectors)
        self._known.newest.update(call.values)
        self._known.newest.update(call.scalars)
        self._rows.add(call, now, step, commit)

    def _refuse(self, name: str, size: int) -> None:
        """Count a value that is too large, and tell of the first."""
        self._refused[name] = self._refused.get(name, 0) + 1
        if self._refused[name] == 1:
            limit = self._dashboard.max_media
            told = "flexlogger: %s: expected at most %d bytes (max_media), but got %d; it is left out and counted"
            faults.log.warning(told, name, limit, size)

    def _refuse_finished(self, call: str) -> None:
        if self._finished:
            raise RunLogError(f"{call}: the run is finished; call flexlogger.runs.init() for a new one")

    def define_metric(
        self,
        name: str,
        step_metric: str | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | Sequence[str] | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,
    ) -> None:
        """Say what is wanted of a metric, or of all that a glob such as `val/*` fits.

        `summary` is what its summary holds, joined by commas: min, max, mean, first, last, best (the lowest, or with
        goal="maximize" the highest), or none; its last value if not given. `step_metric` is the metric that it is drawn
        over: the value logged with it, or else the one before. A `hidden` metric is logged and has no window.

        A metric always has what is known of its step metric (`step_sync`), and a second definition replaces the first
        (`overwrite`).

        Raises ValueRefusedError for a word that means nothing, with the nearest.
        """
        self._refuse_finished("define_metric")
        rule = checked_rule(name, summary, goal, step_metric, hidden)
        if rule.step_metric in AXES:
            told = "flexlogger: define_metric: step_metric %r is the run's own %s; log yours under another name"
            faults.log.warning(told, rule.step_metric, rule.step_metric)
        self._rules.add(rule)
        self._run.event("metric", msgspec.to_builtins(rule))
        self._windows.look_again()

    def watch(self, model: Module, optimizer: Any = None, log: str = "gradients", log_freq: int = 100) -> None:
        """Log norm, mean and std of each layer's gradients, parameters or all of both, each `log_freq` steps of
        `optimizer` (without one, or with a loss function in its place: of the optimizer that trains the model).

        They are windows `gradients.norm` and so on, with a line a layer, until `unwatch` or the run's end. Raises
        ValueRefusedError.
        """
        from flexlogger.tracking.watch import Statistics, Watch

        def send(snapshot: Snapshot) -> None:
            self._rows.queue(Statistics(snapshot, self._rows.step))

        self._refuse_finished("watch")
        watch = Watch(model, optimizer, log, log_freq, send)
        self._watches.append(watch)
        self._windows.meet(watch.windows, watch.windows)

    def unwatch(self, model: Module | None = None) -> None:
        """Stop watching a model, or all of them: the model and its optimizer are as they were."""
        for watch in [watch for watch in self._watches if model is None or watch.model is model]:
            watch.remove()
            self._watches.remove(watch)

    # ---- artifacts

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,
        aliases: str | Sequence[str] | None = None,
    ) -> Artifact:
        """Log an artifact, or the file or folder at a path, and return it; see `RunArtifacts.log_artifact`."""
        self._refuse_finished("log_artifact")
        return self._artifacts.log_artifact(artifact_or_path, name, type, aliases)

    def use_artifact(self, artifact_or_name: Artifact | str, type: str | None = None) -> Artifact:
        """Find `name`, `name:v3` or `name:alias` in the run's project; see `RunArtifacts.use_artifact`."""
        self._refuse_finished("use_artifact")
        return self._artifacts.use_artifact(artifact_or_name, type)

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: str | Sequence[str] | None = None
    ) -> Artifact:
        """Log the file or folder of a model as an artifact of type model."""
        self._refuse_finished("log_model")
        return self._artifacts.log_model(path, name, aliases)

    def use_model(self, name: str) -> str:
        """Copy a model out and return the path of its file, or of its folder where it has several files."""
        self._refuse_finished("use_model")
        return self._artifacts.use_model(name)

    # ---- the end

    def flush(self, timeout: float = 10.0, views: bool = True) -> bool:
        """Wait until all that was logged is on disk, with `views` also on the dashboards; False where time ran out.

        What was logged with commit=False waits for the call that ends its step."""
        self._rows.settle()
        return self._run.flush(timeout, views)

    def finish(self, exit_code: int | None = None, timeout: float = CLOSE_S) -> None:
        """End the run, as crashed where `exit_code` is not 0. Waits for artifacts while they are being stored, and
        at most `timeout` seconds for the log, and as long for the dashboards; what is left is in the log."""
        if self._finished:
            return
        self._finished = True
        self.unwatch()
        self._artifacts.wait(timeout)
        self._rows.close()
        atexit.unregister(self._rows.release)
        if exit_code:
            self._run.ending = "crashed"
        why = "the run is finished"
        self.config.freeze(why)
        self.summary.freeze(why)
        self._run.leave(self, timeout)
        if self._scratch is not None:
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(exit_code=int(ending_of(error or kind) == "crashed"))
