"""Describe a dashboard once, in YAML or a dict; feed it with `add` and `log`; watch it live.

Names are imported when first used: `import flexlogger` costs milliseconds and needs neither torch nor visdom.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import flexlogger.runs as runs
    from flexlogger.config.presets import PresetInfo, preset_info, preset_names
    from flexlogger.errors import (
        ArtifactError,
        ConfigError,
        FlexLoggerError,
        MissingExtraError,
        NonFiniteError,
        RanksError,
        RunLogError,
        ServerError,
        SinkError,
        UnknownNameError,
        ValueRefusedError,
        WireError,
    )
    from flexlogger.inspector.explorer import ModelExplorer
    from flexlogger.inspector.handler import ParallelHandler
    from flexlogger.inspector.recorder import DataRecorder
    from flexlogger.integrations.plain import watch
    from flexlogger.logger import FlexLogger, get_preset_logger
    from flexlogger.meters.catalog import meter_info, meter_types
    from flexlogger.meters.info import MeterInfo
    from flexlogger.model.modellogger import TooledModelLogger
    from flexlogger.model.tooled import TooledModel
    from flexlogger.monitor.state_monitor import StateMonitor
    from flexlogger.plots.catalog import PlotInfo, plot_info, plot_types
    from flexlogger.progress.track import track
    from flexlogger.recorder.helper import RecorderHelper
    from flexlogger.recorder.recorder import Recorder, WandbRecorder

__version__ = "0.1.0"

_HOME = {
    "FlexLogger": "logger",
    "get_preset_logger": "logger",
    "PresetInfo": "config.presets",
    "preset_info": "config.presets",
    "preset_names": "config.presets",
    "MeterInfo": "meters.info",
    "meter_info": "meters.catalog",
    "meter_types": "meters.catalog",
    "PlotInfo": "plots.catalog",
    "plot_info": "plots.catalog",
    "plot_types": "plots.catalog",
    "StateMonitor": "monitor.state_monitor",
    "watch": "integrations.plain",
    "track": "progress.track",
    "Recorder": "recorder.recorder",
    "RecorderHelper": "recorder.helper",
    "WandbRecorder": "recorder.recorder",
    "TooledModel": "model.tooled",
    "TooledModelLogger": "model.modellogger",
    "ParallelHandler": "inspector.handler",
    "DataRecorder": "inspector.recorder",
    "ModelExplorer": "inspector.explorer",
    "ArtifactError": "errors",
    "ConfigError": "errors",
    "FlexLoggerError": "errors",
    "MissingExtraError": "errors",
    "NonFiniteError": "errors",
    "RanksError": "errors",
    "RunLogError": "errors",
    "ServerError": "errors",
    "SinkError": "errors",
    "UnknownNameError": "errors",
    "ValueRefusedError": "errors",
    "WireError": "errors",
}

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataRecorder",
    "FlexLogger",
    "FlexLoggerError",
    "MeterInfo",
    "MissingExtraError",
    "ModelExplorer",
    "NonFiniteError",
    "ParallelHandler",
    "PlotInfo",
    "PresetInfo",
    "RanksError",
    "Recorder",
    "RecorderHelper",
    "RunLogError",
    "ServerError",
    "SinkError",
    "StateMonitor",
    "TooledModel",
    "TooledModelLogger",
    "UnknownNameError",
    "ValueRefusedError",
    "WandbRecorder",
    "WireError",
    "get_preset_logger",
    "meter_info",
    "meter_types",
    "plot_info",
    "plot_types",
    "preset_info",
    "preset_names",
    "runs",
    "track",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name == "runs":
        return importlib.import_module("flexlogger.runs")
    if name not in _HOME:
        raise AttributeError(f"module 'flexlogger' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"flexlogger.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
