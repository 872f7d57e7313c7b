"""The public list is a promise: it changes only on purpose."""

from __future__ import annotations

import subprocess
import sys

import flexlogger

NAMES = [
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


def test_the_public_names_are_these() -> None:
    assert flexlogger.__all__ == NAMES
    assert dir(flexlogger) == sorted(NAMES)
    for name in NAMES:
        assert getattr(flexlogger, name).__doc__


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, flexlogger; print([m for m in ('torch', 'numpy', 'msgspec', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
