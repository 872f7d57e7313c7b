"""TooledModelLogger: a model's statistics on a dashboard."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from inspect import signature
from types import TracebackType
from typing import Any, Self

from torch import nn

from flexlogger import faults
from flexlogger.config.load import load_model
from flexlogger.errors import ConfigError, NonFiniteError, Place, Problem, unknown
from flexlogger.logger import FlexLogger, Settings
from flexlogger.model.layers import Choice
from flexlogger.model.nonfinite import FirstBad, Watch
from flexlogger.model.own import Stat
from flexlogger.model.plan import Sources
from flexlogger.model.record import Averages, SnapshotRecord
from flexlogger.model.snapshot import Snapshot, Table
from flexlogger.model.table import print_table
from flexlogger.model.tooled import TooledModel
from flexlogger.model.windows import Drawn, Windows
from flexlogger.records import Output, Step
from flexlogger.steps import checked_step


class TooledModelLogger:
    """A `TooledModel` whose statistics are drawn: a window per layer (`by_layer`), per source (`by_metric`) or per
    statistic (`by_stat`).

    With `logger`, an open FlexLogger, they join its run and dashboard, and what its config says under `model` holds
    where nothing else is said here; what it says under `inspect` becomes videos. Otherwise a run is opened with
    `settings`, as FlexLogger takes them (`env`, `server`, `sinks` …); of presets and files that stand there under
    `extends`, what they say under `model` holds as well. `prefix` comes before the windows' names, for a second model;
    `opts` are options of the line plots. `stop_on_nan` raises NonFiniteError once anything collected is not finite.
    Dotted paths may stand below `allow_imports`, here and in `logger`. Everything else is as in `TooledModel`.

    >>> import torch
    >>> from flexlogger.sinks.memory import MemorySink
    >>> model, view = nn.Linear(4, 1), MemorySink()
    >>> with TooledModelLogger(model, sources=["grads"], stats=["norm"], sinks=[view]) as logger:
    ...     for _ in range(3):
    ...         model(torch.ones(2, 4)).sum().backward()
    ...         _ = logger.step(log=True)
    >>> view.series("layer_Linear.norm.grads")
    [(0, 4.0), (1, 8.0), (2, 12.0)]
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        mode: str | None = None,
        *,
        logger: FlexLogger | None = None,
        prefix: str | None = None,
        opts: Mapping[str, Any] | None = None,
        stop_on_nan: bool | None = None,
        sources: Sources = None,
        stats: Iterable[Stat] | None = None,
        layers: Choice = None,
        every: int | None = None,
        budget: float | str | None = None,
        biases: bool | None = None,
        scaler: Any = None,
        bins: int | None = None,
        sample: int | str | None = None,
        in_graph: bool = False,
        allow_imports: Iterable[str] = (),
        **settings: Any,
    ) -> None:
        _check_names(settings)
        said: dict[str, Any] = {"mode": mode, "prefix": prefix, "opts": opts, "stop_on_nan": stop_on_nan}
        said |= {"sources": sources, "stats": stats, "layers": layers, "every": every, "budget": budget}
        said |= {"biases": biases, "bins": bins, "sample": sample}
        allowed = (*allow_imports, *(logger.allow_imports if logger is not None else ()))
        options = _merged(
            logger.model_options if logger is not None else {},
            load_model(settings["extends"], allowed) if "extends" in settings else {},
            {key: value for key, value in said.items() if value is not None},
        )
        self._stop: bool = options.pop("stop_on_nan", False)
        drawn = {key: options.pop(key) for key in ("mode", "prefix", "opts") if key in options}
        self.tooled = TooledModel(model, optimizer, scaler=scaler, in_graph=in_graph, allow_imports=allowed, **options)
        self.tooled.auto = False
        self._windows = Windows(self.tooled.plan, **drawn)
        self._cost = self._windows.own("cost")
        self._nonfinite = self._windows.own("nonfinite")
        cost = Drawn([Output(".percent"), Output(".every")])
        plots = {**self._windows.plots, self._cost: {"type": "line"}}
        meters = {**self._windows.meters, self._cost: {"type": cost, "target": self._cost}}
        if logger is not None:
            settings["run"] = logger
        try:
            self.logger = FlexLogger(plots, meters, allow_imports=allowed, **settings)
        except Exception:
            self.tooled.remove()
            raise
        try:
            self._inspecting = (logger or self.logger).inspect(model)
        except Exception:
            self.tooled.remove()
            self.logger.close()
            raise
        self._kept = Averages()
        self._last: Snapshot | None = None
        self._unwatched: deque[Snapshot] = deque()
        self._watch = Watch()

    # ---- collecting and logging

    def step(self, log: bool | None = None, at: Step | None = None) -> int:
        """End a training step, after the optimizer's and a scaler's `update`; return how many have ended.

        A step that is due is logged, at `at` (default: the number of the step, from 0). With `log=False` it is only
        kept, for a later log to average; `log=True` makes any step due and logs it, as far as it can still be read.
        Raises NonFiniteError where that was asked for.
        """
        step = self.tooled.steps if at is None else checked_step(at)
        new = self._keep(self.tooled.step(collect=bool(log)))
        if log or (log is None and new):
            self.log(step)
        self._look()
        return self.tooled.steps

    def add(self) -> None:
        """Keep what the step has collected so far, for the next log."""
        self._keep(self.tooled.snapshot())

    def _keep(self, snapshot: Snapshot | None) -> bool:
        """Keep a snapshot for the next log; False where there is none, or it was kept before."""
        if snapshot is None or snapshot is self._last:
            return False
        self._last = snapshot
        self._kept.add(snapshot)
        self._unwatched.append(snapshot)
        return True

    def log(self, step: Step | None = None) -> None:
        """Log what was kept since the last log: means over the steps, least of min, largest of max.

        Nothing is waited for: the numbers are worked out in the background.
        """
        step = self.tooled.steps if step is None else checked_step(step)
        if not self._kept:
            return
        status = self.tooled.status()
        extra = {f"{self._cost}.percent": 100 * status["share"], f"{self._cost}.every": float(status["every"])}
        record = SnapshotRecord(self._kept, self._windows, step, extra)
        self._kept = Averages()
        self._send(record)

    def _send(self, record: SnapshotRecord) -> None:
        run = self.logger.session
        if run.readback.reserve(record.size):
            run.readback.queue(record)
        else:
            run.pipe.drop("queue full" if record.arrived() else "device too slow")

    def reset(self) -> None:
        """Forget what was kept since the last log."""
        self._kept = Averages()

    # ---- what is not finite

    def _look(self) -> None:
        """Look for NaN in what is known by now; all that has left its device where training is to stop."""
        while self._unwatched and (self._unwatched[0].known or (self._stop and self._unwatched[0].arrived())):
            found = self._watch.look(self._unwatched.popleft())
            if found is not None:
                self._tell(found)
        while len(self._unwatched) > 1000:  # nobody ever works them out
            self._unwatched.popleft()

    def _tell(self, found: FirstBad) -> None:
        faults.log.warning("flexlogger: NaN or infinity in the model: %s", found)
        info = {"name": f"{found.layer}.{found.source}", "value": "not finite", "step": found.step, "told": str(found)}
        self.logger.session.event("nonfinite", info, found.step)
        self.logger.add_plot(self._nonfinite, type="text")
        self.logger.add({self._nonfinite: f"NaN or infinity: {found}"})
        self.logger.log(found.step, keys=[self._nonfinite])
        if self._stop:
            raise NonFiniteError(f"stop_on_nan: NaN or infinity in the model: {found}")

    # ---- looking

    def table(self, show: bool = True) -> Table:
        """Print the latest collected step and return it; see `TooledModel.table`. Waits for a device."""
        latest = self.tooled.latest
        if latest is None:
            return self.tooled.table(show)
        table = latest.table()
        if show:
            print_table(table, self.tooled.plan.stats, latest.frozen)
        return table

    def status(self) -> dict[str, Any]:
        """What collecting costs, what is not finite, and the health of the log and the views, in plain data."""
        found = self._watch.found
        return {
            **self.tooled.status(),
            "nonfinite": str(found) if found is not None else None,
            "logger": self.logger.status(),
        }

    # ---- the end

    def flush(self, timeout: float = 10.0, views: bool = True) -> bool:
        """Wait until all that was logged is on disk, with `views` also on the dashboards; False where time ran out."""
        return self.logger.flush(timeout, views)

    def close(self) -> None:
        """Take all hooks out, tell what was not finite, and end the run or leave it."""
        self.tooled.remove()
        self._stop = False
        for snapshot in self._unwatched:
            _ = snapshot.collected
        self._look()
        if self._inspecting is not None:
            self._inspecting.stop()
        self.logger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _merged(*sections: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a model, each section over those before it."""
    options: dict[str, Any] = {}
    for section in sections:
        if section.keys() & {"every", "budget"}:
            options = {key: value for key, value in options.items() if key not in ("every", "budget")}
        if "stats" in section and "sources" not in section and "sources" in options:
            options["sources"] = list(options["sources"])  # without statistics of their own, which would go before
        options |= section
    return options


def _check_names(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a keyword that neither statistics nor a run have: it may be meant for either."""
    settable = {*Settings.__annotations__, "extends", "viz"}
    for name in settings:
        if name not in settable:
            known = settable | signature(TooledModelLogger).parameters.keys() - {"settings"}
            raise ConfigError([Problem(Place("<arguments>"), name, unknown("key", name, known))])
