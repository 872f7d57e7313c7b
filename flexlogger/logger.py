"""FlexLogger: meters fed by `add`, measured by `log`, declared by a config. The one place where stages meet."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import torch

from flexlogger import faults
from flexlogger.channels import Channel, Draft
from flexlogger.config.load import load
from flexlogger.config.model import Dashboard
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.meters.base import ScalarMeter
from flexlogger.readback import MAX_PENDING, Readback
from flexlogger.records import Definition, Record, Step, weight
from flexlogger.wiring import Run, build_channels, open_run, without

FOLD_EVERY = 4096
"""Floats wait in their meter's buffer; after this many `add` calls without a `log` they are folded in."""
CLOSE_S = 5.0
_WIDE = 8


class Settings(TypedDict, total=False):
    """Everything a declaration may say beside its plots and meters; see docs/config.md."""

    phases: Iterable[str]
    env: str
    uid: str
    server: str
    port: int
    token: str
    project: str
    run: str
    dir: str
    sinks: Any
    layout: Mapping[str, Any]
    max_points: int
    max_media: int
    runlog: bool | str
    fsync: float
    strict: bool


Source = str | PathLike[str] | Mapping[str, Any]


class FlexLogger:
    """Meters and plots in one object.

    `plots` and `meters` are mappings as in a YAML config, `settings` its other keys (`env`, `server`, `sinks` …).
    `viz` is a visdom.Visdom object of yours to draw through. `allow_imports` names packages whose classes a dotted
    `type` may import.

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
        source = {"plots": plots or {}, "meters": meters or {}}
        self._open(source, dict(settings), viz, tuple(allow_imports))

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
        self._source = source
        self._layers: list[Mapping[str, Any]] = [overrides]
        self._removed: set[str] = set()
        self._allow_imports = allow_imports
        self._channels: dict[str, Channel] = {}
        self._last: dict[str, Any] = {}
        self._warned: set[str] = set()
        self._refused: dict[str, int] = {}
        self._next: int = 0
        self._room = FOLD_EVERY
        self._readback = Readback()
        dashboard = load(source, overrides=self._layers, allow_imports=allow_imports)
        self._adopt(dashboard)
        self._run: Run = open_run(dashboard, viz, self._readback)
        self._pipe = self._run.pipe
        self._submit = self._pipe.submit
        self._finalizer = weakref.finalize(self, self._run.close, CLOSE_S)
        self._define()

    def _adopt(self, dashboard: Dashboard) -> None:
        """Take a checked declaration into use; meters that it leaves unchanged keep what they have gathered."""
        self._dashboard = dashboard
        self._channels = build_channels(dashboard, self._channels, self._allow_imports)
        self._singles: list[tuple[str, list[float], ScalarMeter]] = []
        self._others: list[Channel] = []
        self._push = {}
        for name, channel in self._channels.items():
            meter = channel.meter
            if isinstance(meter, ScalarMeter):
                self._push[name] = meter.buffer.append
                if meter.single and not meter.windowed:
                    self._singles.append((name, meter.buffer, meter))
                    continue
            else:
                self._push[name] = meter.add
            self._others.append(channel)

    def _define(self) -> None:
        meters = tuple(channel.definition() for channel in self._channels.values())
        self._pipe.submit(Definition(time(), self._dashboard.plots, meters, self._dashboard.layout))

    # ---- add

    def add(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give meters what they measure: `add({'train_loss': 0.7})`.

        A list or tuple is passed on as several arguments, a dict as keyword arguments, a tensor or array whole.
        Tensors may stay on their device and may be changed or freed afterwards.

        Raises UnknownNameError for a name nobody declared (with `strict: false` it warns once), ValueRefusedError
        where a meter cannot take the value.
        """
        if named:
            values = {**(values or {}), **named}
        push = self._push
        try:
            for name, value in values.items():  # type: ignore[union-attr]  # None is told below
                if value.__class__ is float:
                    push[name](value)
                else:
                    self._add_one(name, value)
        except KeyError:
            if name in push:
                raise
            self._add_rest(values, name)  # type: ignore[arg-type]
        except AttributeError:
            if isinstance(values, Mapping):
                raise
            raise ValueRefusedError(f"add: expected a dict of meter names and values, got {values!r}") from None
        self._room -= 1
        if not self._room:
            self._fold()

    __call__ = add
    stat = add

    def _add_one(self, name: str, value: Any) -> None:
        meter = self._channels[name].meter
        if isinstance(value, (list, tuple)):
            meter.add(*value)
        elif isinstance(value, dict):
            meter.add(**value)
        else:
            meter.add(value)

    def _add_rest(self, values: Mapping[str, Any], stranger: str) -> None:
        """Tell about a name nobody declared; where that is allowed, go on behind it."""
        message = unknown("meter", stranger, self._push)
        if self._dashboard.strict:
            raise UnknownNameError(f"add: {message}") from None
        if stranger not in self._warned:
            self._warned.add(stranger)
            faults.log.warning("flexlogger: add: %s It is ignored (strict is off).", message)
        names = list(values)
        rest = names[names.index(stranger) + 1 :]
        if rest:
            self.add({name: values[name] for name in rest})

    def _fold(self) -> None:
        """Keep buffers bounded where nobody logs; the short ones of a loop that does are left to `log`."""
        self._room = FOLD_EVERY
        for channel in self._channels.values():
            if isinstance(channel.meter, ScalarMeter) and len(channel.meter.buffer) > FOLD_EVERY // 64:
                channel.meter.fold()

    # ---- log

    def log(self, step: Step | None = None, keys: str | Iterable[str] | None = None, reset: bool = True) -> None:
        """Record what the meters have measured, at `step` (default: the counter), and reset them.

        `keys` limits it to some meters, `reset=False` lets them go on measuring. A meter that was given nothing since
        its reset is skipped. Raises ValueRefusedError for a step that is no finite number.
        """
        now = time()
        if step.__class__ is int:
            self._next = step + 1
        else:
            step = self._take_step(step)
        if keys is not None or not reset:
            self._log_some(step, now, keys, reset)
            return
        values: dict[str, float] = {}
        several = None
        for name, buffer, meter in self._singles:
            if len(buffer) == 1 and not meter.count:
                values[name] = buffer.pop()
            elif buffer or meter.count:
                several = several or []
                several.append(self._channels[name])
        if several or self._others:
            self._log_rest(step, now, values, (several or []) + self._others)
        elif values:
            self._last.update(values)
            if self._readback.pending or len(values) > _WIDE:
                self._send(Record(step, now, values))
            else:
                self._submit(Record(step, now, values))

    def _log_some(self, step: Step, now: float, keys: str | Iterable[str] | None, reset: bool) -> None:
        channels = [self._channel(key) for key in ([keys] if isinstance(keys, str) else keys or self._channels)]
        self._log_rest(step, now, {}, channels, reset)

    def _log_rest(
        self, step: Step, now: float, values: dict[str, float], channels: list[Channel], reset: bool = True
    ) -> None:
        draft = Draft(values, self._dashboard.max_media)
        for channel in channels:
            if not channel.meter.empty:
                draft.take(channel)
                if reset and not channel.meter.windowed:
                    channel.meter.reset()
        for name, size in draft.refused:
            self._refuse(name, size)
        self._last.update(draft.values)
        if draft.scalars or draft.readings:
            self._last.update(draft.scalars)
            self._send_later(step, now, draft)
        elif draft.values or draft.data:
            self._last.update((datum.name, datum.value) for datum in draft.data)
            self._send(Record(step, now, draft.values, tuple(draft.data)))

    def _send(self, record: Record) -> None:
        if self._readback.pending:
            self._readback.push_record(record)
        else:
            self._submit(record, weight(record))

    def _send_later(self, step: Step, now: float, draft: Draft) -> None:
        if self._readback.pending >= MAX_PENDING:
            self._pipe.drop("device too slow")
            return
        self._readback.push(step, now, draft.values, draft.data, draft.scalars, draft.readings)

    def _refuse(self, name: str, size: int) -> None:
        self._refused[name] = self._refused.get(name, 0) + 1
        if self._refused[name] == 1:
            faults.log.warning(
                "flexlogger: %s: expected at most %d bytes (max_media), got %d; it is left out and counted",
                name,
                self._dashboard.max_media,
                size,
            )

    def _take_step(self, step: Any) -> Step:
        if step is None:
            step = self._next
        elif isinstance(step, bool) or not isinstance(step, (int, float)) or not math.isfinite(step):
            raise ValueRefusedError(f"log: step: expected a finite int or float, got {step!r}")
        self._next = math.floor(step) + 1
        return step  # type: ignore[no-any-return]

    def step(self) -> int:
        """Advance the step counter by one and return it."""
        self._next += 1
        return self._next

    # ---- looking

    def value(self, name: str) -> Any:
        """The running value of a meter, as the meter gives it. Waits for a device where the meter has values there."""
        return self._channel(name).meter.value()

    def last(self, name: str) -> Any:
        """The last logged value of an output (a meter's name, or `meter.key`); None before the first `log`.

        Waits for a device where the value is still there.
        """
        if name not in self._last and name not in self._channels:
            raise UnknownNameError(f"last: {unknown('meter', name, {*self._channels, *self._last})}")
        value = self._last.get(name)
        return value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value

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
        """The run's name."""
        return self._run.name

    @property
    def folder(self) -> Path:
        """Where the run's log lies."""
        return self._run.folder

    @property
    def url(self) -> str | None:
        """The dashboard's address; None where no sink has one."""
        return self._run.url

    def status(self) -> dict[str, Any]:
        """Health in plain data: items queued, written and dropped by reason, refused media, first non-finite values,
        and each view's state."""
        return {"run": self.run, "url": self.url, "refused": dict(self._refused), **self._pipe.status()}

    def __repr__(self) -> str:
        rows = [("meter", "type", "plot", "last")]
        for name, channel in self._channels.items():
            rows.append((name, channel.definition().type, channel.config.target, _short(self._last.get(name))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"FlexLogger(run={self.run!r}, env={self.env!r})", *lines])

    def _channel(self, name: str) -> Channel:
        try:
            return self._channels[name]
        except KeyError:
            raise UnknownNameError(unknown("meter", name, self._channels)) from None

    # ---- changing

    def reset(self) -> None:
        """Reset every meter: what was added since the last `log` is forgotten, windowed meters start anew."""
        for channel in self._channels.values():
            channel.meter.reset()

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
        layers = [*self._layers, changes]
        named = {name for part in ("plots", "meters") for name in changes.get(part) or {}}
        dashboard = load(self._source, overrides=layers, allow_imports=self._allow_imports)
        self._adopt(without(dashboard, self._removed - named))
        self._layers = layers
        self._removed -= named
        self._define()

    def remove(self, name: str) -> None:
        """Remove a meter, or a plot with all its meters. Its window stays as it is; the log keeps everything."""
        definitions = self.get_definitions()
        if name not in definitions and name not in self._channels:
            raise UnknownNameError(f"remove: {unknown('plot or meter', name, {*definitions, *self._channels})}")
        self._removed.add(name)
        self._adopt(without(self._dashboard, self._removed))
        self._define()

    # ---- the end

    def flush(self, timeout: float = 10.0, views: bool = True) -> bool:
        """Wait until all that was logged is on disk, with `views` also on the dashboards; False where time ran out."""
        return self._pipe.flush(timeout, views)

    def close(self) -> None:
        """Write what is left and end the run. Waits at most 5 s for the log and 5 s for the views."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else f"{type(value).__name__}{list(getattr(value, 'shape', []))}"


def get_preset_logger(names: str, **settings: Unpack[Settings]) -> FlexLogger:
    """A logger made from presets: `get_preset_logger('loss+MSE')`; see `FlexLogger.from_presets`."""
    return FlexLogger.from_presets(names, **settings)
