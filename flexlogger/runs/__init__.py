"""The run log, the truth every view is made from; and the run API: `import flexlogger.runs as wandb`.

The API's names are imported when first used, so that what only reads logs stays without torch.

>>> import flexlogger.runs as wandb
>>> run = wandb.init(project="demo", config={"lr": 0.1}, mode="disabled")
>>> for step in range(3):
...     wandb.log({"loss": 1 / (step + 1)})
>>> wandb.config.lr, wandb.summary["loss"]
(0.1, 0.3333333333333333)
>>> wandb.finish()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flexlogger.replay.draw import replay
    from flexlogger.tracking.api import (
        Artifact,
        Config,
        Histogram,
        Html,
        Image,
        Summary,
        Table,
        TrackedRun,
        config,
        define_metric,
        finish,
        init,
        log,
        log_artifact,
        log_model,
        login,
        plot,
        run,
        summary,
        unwatch,
        use_artifact,
        use_model,
        watch,
    )

__all__ = [
    "Artifact",
    "Config",
    "Histogram",
    "Html",
    "Image",
    "Summary",
    "Table",
    "TrackedRun",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "log_artifact",
    "log_model",
    "login",
    "plot",
    "replay",
    "run",
    "summary",
    "unwatch",
    "use_artifact",
    "use_model",
    "watch",
]

_ELSEWHERE = {"replay": "flexlogger.replay.draw"}
"""Names that are not the run API's own."""
_CHANGING = ("config", "run", "summary")
"""Names that mean the current run's, so that no module may have one of them."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flexlogger.runs' has no attribute {name!r}")
    value = getattr(importlib.import_module(_ELSEWHERE.get(name, "flexlogger.tracking.api")), name)
    if name not in _CHANGING:
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
