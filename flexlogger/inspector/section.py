"""What a config says under `inspect`, put to work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from flexlogger import faults
from flexlogger.inspector.handler import ParallelHandler
from flexlogger.inspector.recorder import DataRecorder

_OF_THE_RECORDER = ("fps", "seconds", "folder", "codec", "live", "server", "port", "env", "uid", "token")
_OF_THE_HANDLER = ("timeout", "capacity")
_OF_THE_TRACKING = ("layers", "sources")


def inspect(model: nn.Module, options: Mapping[str, Any]) -> ParallelHandler | None:
    """Track a model as a config's `inspect` says; None where the program has a ParallelHandler of its own already.

    `options` holds where the run and its dashboard are, too: `folder`, `server`, `port`, `env`, `uid`, `token`. Raises
    ValueRefusedError for layers that there are not, MissingExtraError where PyAV is missing.
    """
    if ParallelHandler.running() is not None:
        faults.log.warning("flexlogger: inspect: this program has a ParallelHandler already; the section is left out")
        return None
    size = tuple(options.get("size", (640, 480)))
    recorder = DataRecorder(size, **_only(options, _OF_THE_RECORDER))
    onrun = getattr(recorder, f"tensor_{options.get('view', 'plot2D')}")
    frequency = options.get("frequency", 20)
    handler = ParallelHandler(onrun, recorder.flush, frequency, **_only(options, _OF_THE_HANDLER))
    try:
        handler.track_model(-1, {"model": model}, **_only(options, _OF_THE_TRACKING))
    except Exception:
        handler.stop()
        raise
    return handler


def _only(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}
