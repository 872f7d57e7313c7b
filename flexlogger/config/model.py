"""What a checked declaration becomes: one frozen object the logger is built from."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flexlogger.errors import Place
from flexlogger.records import Layout, PlotDef


class MeterConfig(msgspec.Struct, frozen=True):
    """One meter as declared. `type` is a catalog name, an allowed dotted path, a class, an instance or a factory."""

    name: str
    type: Any
    target: str
    opts: dict[str, Any] = {}
    labels: tuple[str, ...] = ()
    display: dict[str, Any] = {}
    unit: str | None = None
    reduce: bool = False
    implicit: bool = False
    """True for the LastValueMeter that a plot gets which no meter names."""
    place: Place = Place()


class SinkConfig(msgspec.Struct, frozen=True):
    """One view: `type` is its name in configs, `opts` are its own options and those that every sink takes. A sink
    object from code stands in `sink`."""

    type: str
    opts: dict[str, Any] = {}
    sink: Any = None

    @property
    def from_code(self) -> bool:
        """True where it holds an object that only this process has."""
        return self.sink is not None or callable(self.opts.get("function"))

    def __repr__(self) -> str:
        return _repr_without_secrets(self)


class Dashboard(msgspec.Struct, frozen=True):
    """A whole declaration after presets, `extends` and phases are merged and everything is checked.

    None stands for "not said": the logger then takes the environment variable or the default. `token` is a secret:
    it is kept out of the run log and of `repr`.
    """

    plots: tuple[PlotDef, ...]
    meters: tuple[MeterConfig, ...]
    phases: tuple[str, ...] = ("train", "test")
    env: str | None = None
    uid: str | None = None
    server: str | None = None
    port: int | None = None
    token: str | None = None
    project: str | None = None
    run: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""
    config: dict[str, Any] = {}
    """Hyper-parameters: plain data; what came from an environment variable stands here as it was written."""
    resume_step: float | None = None
    ranks: str = "first"
    dir: str | None = None
    sinks: tuple[SinkConfig, ...] = (SinkConfig("visdom"),)
    pipe: str = "thread"
    """Where dashboards are drawn: thread, process, or tcp://host:port."""
    keys: str | None = None
    """The client's key file for a tcp pipe."""
    layout: Layout = Layout()
    model: dict[str, Any] = {}
    """What a TooledModelLogger that shares the run collects: its options, as they are called there."""
    inspect: dict[str, Any] | None = None
    """What the inspector draws of a model that shares the run; {} is all by default."""
    max_media: int = 16 * 2**20
    """Largest single array, image or text that is kept, in bytes; larger ones are refused and counted."""
    runlog: bool = True
    fsync: float | None = None
    """Seconds between fsync calls of the run log; None leaves it to the operating system."""
    strict: bool = True
    remarks: tuple[str, ...] = ()
    """What `check` wants to point out without refusing: implicit meters, plots without data."""

    def __repr__(self) -> str:
        return _repr_without_secrets(self)


def _repr_without_secrets(struct: msgspec.Struct) -> str:
    """Show a struct with its tokens hidden, and the passwords of its URLs."""
    shown = (f"{key}={_hidden(key, value)}" for key, value in msgspec.structs.asdict(struct).items())
    return f"{type(struct).__name__}({', '.join(shown)})"


def _hidden(key: str, value: Any) -> str:
    if key == "token" and value is not None:
        return "'…'"
    if key in ("server", "uri") and value is not None:
        return repr(re.sub(r"//[^/@]*@", "//…@", value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_hidden(name, item)}" for name, item in value.items()) + "}"
    return repr(value)
