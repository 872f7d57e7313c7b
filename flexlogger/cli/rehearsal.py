"""Made-up data of the right shape for every meter of a config, drawn for real: `flexlogger check --demo`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from flexlogger.config.load import load
from flexlogger.config.model import MeterConfig
from flexlogger.errors import FlexLoggerError, ValueRefusedError
from flexlogger.logger import FlexLogger

STEPS = 20
Maker = Callable[[float, torch.Generator], tuple[Any, ...]]
"""Makes the arguments of one `add` call; the number from 0 to 1 says how far the made-up training is."""


def rehearse(config: str, allow_imports: tuple[str, ...], server: str | None, port: int | None) -> str:
    """Feed every meter of a config with made-up data and draw it in an environment `check-demo`; return its address.

    Raises FlexLoggerError where a meter takes none of the shapes that are tried, or where no server answers.
    """
    where = {key: value for key, value in (("server", server), ("port", port)) if value is not None}
    settings: Any = {**where, "env": "check-demo", "sinks": ["visdom"], "runlog": False}
    dashboard = load(config, allow_imports=allow_imports)
    plots = {plot.name: plot.type for plot in dashboard.plots}
    with FlexLogger.from_config(config, allow_imports=allow_imports, **settings) as stat:
        generator = torch.Generator().manual_seed(0)
        fitting = {m.name: _fitting(stat, m, plots[m.target], generator) for m in dashboard.meters}
        for step in range(STEPS):
            for name, make in fitting.items():
                stat.add({name: list(make(step / STEPS, generator))})
            stat.log(step)
        if not stat.flush(5):
            raise ValueRefusedError(f"not drawn: {_why(stat.status())}")
        return str(stat.url)


def _why(status: dict[str, Any]) -> str:
    errors = [view["error"] for view in status["views"].values() if view["error"]]
    return "; ".join(errors) or "the dashboard did not take it in time"


def _fitting(stat: FlexLogger, meter: MeterConfig, plot: str, generator: torch.Generator) -> Maker:
    """The first of the candidate shapes that a meter takes and can give a value of."""
    refusals = []
    for make in _candidates(plot, meter.opts.get("k") or meter.opts.get("num_classes") or 10):
        try:
            stat.add({meter.name: list(make(0.0, generator))})
            stat.value(meter.name)
        except (FlexLoggerError, ValueError, TypeError, RuntimeError, IndexError) as error:
            refusals.append(str(error).splitlines()[0])
            continue
        finally:
            stat.reset()
        return make
    raise ValueRefusedError(f"{meter.name}: no made-up data fits its meter; the last refusal: {refusals[-1]}")


def _candidates(plot: str, classes: int) -> Iterator[Maker]:
    """Shapes to try: what the plot draws, then what classifiers and regressors give, then numbers."""
    by_plot: dict[str, Maker] = {
        "line": _number,
        "image": lambda p, g: (torch.rand(3, 32, 32, generator=g),),
        "images": lambda p, g: (torch.rand(9, 3, 16, 16, generator=g),),
        "histogram": lambda p, g: (torch.randn(1000, generator=g) * (1 + p),),
        "heatmap": lambda p, g: (torch.rand(classes, classes, generator=g),),
        "scatter": lambda p, g: (torch.randn(60, 2, generator=g),),
        "bar": lambda p, g: (torch.rand(classes, generator=g),),
        "text": lambda p, g: (f"at {p:.0%}",),
        "table": lambda p, g: ([{"what": "progress", "value": round(p, 2)}],),
        "curve": lambda p, g: (torch.stack([torch.linspace(0, 1, 20), torch.linspace(0, 1, 20) ** (1 - p / 2)]),),
        "plotly": lambda p, g: ({"data": [{"type": "scatter", "y": [1, 3, 2]}], "layout": {}},),
        "boxplot": lambda p, g: (torch.randn(100, classes, generator=g),),
        "surface": _hills,
        "contour": _hills,
        "quiver": lambda p, g: (dict(zip("uv", torch.randn(2, 8, 8, generator=g), strict=True)),),
        "stem": lambda p, g: (torch.rand(classes, generator=g),),
        "pie": lambda p, g: (torch.rand(classes, generator=g),),
        "mesh": lambda p, g: (torch.rand(60, 3, generator=g),),
        "video": lambda p, g: (torch.rand(10, 3, 16, 16, generator=g),),
        "audio": lambda p, g: (torch.sin(torch.arange(22050) * 440 * 2 * math.pi / 44100),),
        "svg": lambda p, g: ('<svg viewBox="0 0 9 9"><circle cx="5" cy="5" r="4"/></svg>',),
        "properties": lambda p, g: ([{"name": "progress", "value": round(p, 2)}],),
        "embeddings": lambda p, g: (torch.randn(60, 8, generator=g),),
        "network": lambda p, g: ([{"source": "input", "target": "net"}, {"source": "net", "target": "output"}],),
    }
    if plot in by_plot:
        yield by_plot[plot]
    yield lambda p, g: (_logits(p, classes, g), torch.arange(64) % classes)
    yield lambda p, g: (torch.rand(64, generator=g) * (1 - p) + p * (torch.arange(64) % 2), torch.arange(64) % 2)
    yield lambda p, g: (torch.rand(64, classes, generator=g), (torch.rand(64, classes, generator=g) > 0.5).long())
    yield lambda p, g: (torch.randn(64, generator=g), torch.randn(64, generator=g))
    yield _number
    yield lambda p, g: ()


def _logits(progress: float, classes: int, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(64, classes, generator=generator)
    return noise + 4 * progress * torch.eye(classes)[torch.arange(64) % classes]


def _hills(progress: float, generator: torch.Generator) -> tuple[torch.Tensor]:
    across = torch.linspace(-3, 3, 20)
    return (torch.exp(-(across[:, None] ** 2) - (across - progress) ** 2),)


def _number(progress: float, generator: torch.Generator) -> tuple[float]:
    return (math.exp(-3 * progress) + 0.05 * float(torch.rand(1, generator=generator)),)
