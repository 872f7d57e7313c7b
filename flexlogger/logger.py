"""FlexLogger: meters fed by `add`, measured by `log`, declared by a config."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from flexlogger.config.load import load
from flexlogger.config.model import Dashboard
from flexlogger.config.update import update
from flexlogger.endings import ending_of
from flexlogger.errors import ConfigError, Place, Problem, UnknownNameError, ValueRefusedError, unknown
from flexlogger.intake import Intake
from flexlogger.notebook import run_html
from flexlogger.session import Run, open_run, run_to_join
from flexlogger.wiring import build_channels

if TYPE_CHECKING:
    from torch import nn

    from flexlogger.inspector.handler import ParallelHandler


class Settings(TypedDict, total=False):
    """Everything a declaration may say beside its plots and meters; see docs/config.md."""

    phases: Iterable[str]
    env: str
    uid: str
    server: str
    port: int
    token: str
    project: str
    run: Any
    name: str
    tags: Iterable[str]
    notes: str
    config: Any
    resume_step: float
    ranks: str
    dir: str | PathLike[str]
    sinks: Any
    pipe: str
    keys: str | PathLike[str]
    layout: Mapping[str, Any]
    model: Mapping[str, Any]
    inspect: Mapping[str, Any]
    max_points: int
    max_media: int
    runlog: bool | str
    fsync: float
    strict: bool


Source = str | PathLike[str] | Mapping[str, Any]


class FlexLogger(Intake):
    """Meters and plots in one object.

    `plots` and `meters` are mappings as in a YAML config, `settings` its other keys (`env`, `server`, `sinks` …).
    `viz` is a visdom.Visdom object of yours to draw through. `allow_imports` names packages whose classes a dotted
    `type` may import.

    It opens a run of its own, unless `flexlogger.runs.init` opened one and the declaration names no other: then it
    shares that one, with its dashboard. `run` may also be an open logger or run to share. The run ends with the last
    of those who share it.

    Raises `ConfigError`, with every problem found, before anything is opened or imported.

    >>> from flexlogger.sinks.memory import MemorySink
    >>> plots = {"loss": {"type": "line"}}
    >>> meters = {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}
    >>> view = MemorySink()
    >>> with FlexLogger(plots, meters, sinks=[view]) as stat:
    ...     stat.add({"train_loss": 0.5})
    ...     stat.add({"train_loss": 1.5})
    ...     stat.log(0)
    >>> view.series("train_loss")
    [(0, 1.0)]
    """

    def __init__(
        self,
        plots: Mapping[str, Any] | None = None,
        meters: Mapping[str, Any] | None = None,
        *,
        viz: Any = None,
        allow_imports: Iterable[str] = (),
        **settings: Unpack[Settings],
    ) -> None:
        self._open({"plots": plots or {}, "meters": meters or {}}, dict(settings), viz, tuple(allow_imports))

    @classmethod
    def from_config(
        cls, source: Source, *, viz: Any = None, allow_imports: Iterable[str] = (), **settings: Unpack[Settings]
    ) -> Self:
        """Build from a YAML file, a mapping or a preset expression; `settings` override what it says."""
        self = cls.__new__(cls)
        self._open(source, dict(settings), viz, tuple(allow_imports))
        return self

    @classmethod
    def from_presets(cls, names: str, **settings: Unpack[Settings]) -> Self:
        """Build from presets joined by plus signs: `FlexLogger.from_presets('loss+MSE')`."""
        return cls.from_config(names, **settings)

    def _open(self, source: Source, overrides: dict[str, Any], viz: Any, allow_imports: tuple[str, ...]) -> None:
        self._allow_imports = allow_imports
        self._channels = {}
        shared = overrides.pop("run") if isinstance(getattr(overrides.get("run"), "session", None), Run) else None
        self._adopt(load(source, overrides=overrides, allow_imports=allow_imports))
        joined = shared.session if shared is not None else run_to_join(self._dashboard)
        self._key = object()
        if joined is not None:
            self._refuse_clashes(joined, self._dashboard)
        self._run: Run = joined or open_run(self._dashboard, viz)
        self._run.join(self._key)
        if joined is not None:
            joined.take_in(self._key, self._dashboard)
        self._inspecting: ParallelHandler | None = None
        self._finalizer = weakref.finalize(self, self._run.leave, self._key)
        self._finalizer.atexit = False  # the run closes itself then, and knows how the interpreter ends
        self._send_to(self._run.pipe, self._run.readback, self._run.identity.resume_step or 0)
        self._define()

    def _adopt(self, dashboard: Dashboard) -> None:
        """Take a checked declaration into use; meters that it leaves unchanged keep what they have gathered."""
        channels = build_channels(dashboard, self._channels, self._allow_imports)
        self._dashboard = dashboard
        self._measure_with(channels, dashboard.strict, dashboard.max_media)

    def _define(self) -> None:
        meters = [channel.definition() for channel in self._channels.values()]
        self._run.define(self._key, self._dashboard.plots, meters, self._dashboard.layout)

    def _refuse_clashes(self, run: Run, dashboard: Dashboard) -> None:
        """Raise ConfigError, before anything changes, for what others who share the run hold already."""
        places = {f"meters.{meter.name}": meter.place for meter in dashboard.meters}
        clashes = run.clashes(self._key, dashboard.plots, [meter.name for meter in dashboard.meters])
        if clashes:
            raise ConfigError([Problem(places.get(path, Place()), path, text) for path, text in clashes.items()])

    # ---- looking

    def get_definitions(self) -> dict[str, list[str]]:
        """The meters of each plot: `{'loss': ['train_loss', 'test_loss']}`."""
        plots: dict[str, list[str]] = {plot.name: [] for plot in self._dashboard.plots}
        for channel in self._channels.values():
            plots[channel.config.target].append(channel.name)
        return plots

    @property
    def env(self) -> str:
        """The dashboard's environment."""
        return self._run.env

    @property
    def uid(self) -> str:
        """What window ids are made from, together with the environment and the plot's name."""
        return self._run.uid

    @property
    def run(self) -> str:
        """The run's id."""
        return self._run.id

    @property
    def session(self) -> Run:
        """The open run, for others to share: `FlexLogger(plots, meters, run=stat)`."""
        return self._run

    @property
    def folder(self) -> Path:
        """Where the run's log lies."""
        return self._run.folder

    @property
    def url(self) -> str | None:
        """The dashboard's address; None where no sink has one."""
        return self._run.url

    @property
    def model_options(self) -> dict[str, Any]:
        """What the config says under `model`: what a TooledModelLogger that shares the run collects."""
        return dict(self._dashboard.model)

    @property
    def allow_imports(self) -> tuple[str, ...]:
        """Packages from which dotted paths in the config may be imported, as the caller allowed."""
        return self._allow_imports

    def inspect(self, model: nn.Module) -> ParallelHandler | None:
        """Make videos of a model as the config says under `inspect`, until `close`; a TooledModelLogger does so itself.

        None where it says nothing, in all but one process of a training, and where there is a ParallelHandler already.
        """
        dashboard = self._dashboard
        if dashboard.inspect is None or self._run.rank:
            return None
        from flexlogger.inspector.section import inspect

        where = {"server": dashboard.server, "port": dashboard.port, "token": dashboard.token}
        place = {"folder": self.folder / "videos", "env": self.env, "uid": self.uid}
        begun = inspect(model, {**place, **where, **dashboard.inspect})
        self._inspecting = begun or self._inspecting
        return begun

    def status(self) -> dict[str, Any]:
        """Health in plain data: items queued, written and dropped by reason, refused media, first non-finite values,
        and each view's state."""
        return {"refused": dict(self._refused), **self._run.status()}

    def __repr__(self) -> str:
        rows = [("meter", "type", "plot", "last")]
        for name, channel in self._channels.items():
            rows.append((name, channel.definition().type, channel.config.target, _short(self._last.get(name))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"FlexLogger(run={self.run!r}, env={self.env!r})", *lines])

    def _repr_html_(self) -> str:
        """The last values and the dashboard's address, as a notebook shows them."""
        values = [(name, _short(value)) for name, value in self._last.items()]
        return run_html(f"{self._run.project}/{self._run.name}", self.url, values)

    # ---- changing

    def add_plot(self, name: str, type: str | None = None, **declaration: Any) -> None:
        """Declare another plot while running: `add_plot('f1', type='line', opts={'ytype': 'log'})`."""
        self.update_definition({"plots": {name: {"type": type, **declaration} if type else declaration}})

    def add_meter(self, name: str, type: Any, target: str | None = None, **declaration: Any) -> None:
        """Declare another meter while running: `add_meter('val_loss', 'AverageValueMeter', target='loss')`."""
        target_entry = {"target": target} if target else {}
        self.update_definition({"meters": {name: {"type": type, **target_entry, **declaration}}})

    def update_definition(self, changes: Mapping[str, Any]) -> None:
        """Merge changes over the declaration, as `extends` would: mappings merge, the rest replaces, None deletes.

        Only `plots`, `meters` and `layout` can change while a run is open. Everything is checked before anything
        changes; raises ConfigError.
        """
        fixed = sorted(set(changes) - {"plots", "meters", "layout"})
        if fixed:
            raise ValueRefusedError(f"update_definition: expected plots, meters or layout, got {', '.join(fixed)}")
        updated = update(self._dashboard, changes, self._allow_imports)
        self._refuse_clashes(self._run, updated)
        self._adopt(updated)
        self._define()

    def remove(self, name: str) -> None:
        """Remove a plot with all its meters, or a meter. Its window stays as it is; the log keeps everything."""
        definitions = self.get_definitions()
        if name not in definitions and name not in self._channels:
            raise UnknownNameError(f"remove: {unknown('plot or meter', name, {*definitions, *self._channels})}")
        meters = definitions.get(name, [])
        if meters and (name not in self._channels or meters == [name]):
            declared = [meter for meter in meters if not self._channels[meter].config.implicit]
            self.update_definition({"plots": {name: None}, "meters": dict.fromkeys(declared)})
        else:
            self.update_definition({"meters": {name: None}})

    # ---- the end

    def flush(self, timeout: float = 10.0, views: bool = True) -> bool:
        """Wait until all that was logged is on disk, with `views` also on the dashboards; False where time ran out."""
        return self._pipe.flush(timeout, views)

    def close(self) -> None:
        """Write what is left and leave the run, which ends with the last of those who share it. Waits at most 5 s for
        the log and 5 s for the views, and before that for what `inspect` has begun."""
        if self._inspecting is not None:
            self._inspecting.stop()
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if ending_of(error or kind) == "crashed":
            self._run.ending = "crashed"
        self.close()


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else f"{type(value).__name__}{list(getattr(value, 'shape', []))}"


def get_preset_logger(names: str, **settings: Unpack[Settings]) -> FlexLogger:
    """A logger made from presets: `get_preset_logger('loss+MSE')`; see `FlexLogger.from_presets`."""
    return FlexLogger.from_presets(names, **settings)
