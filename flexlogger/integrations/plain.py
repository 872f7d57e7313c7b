"""`watch`: a plain PyTorch loop, with a run to log into and the model's insides on the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.optim import Optimizer

import flexlogger.runs as runs
from flexlogger import faults
from flexlogger.errors import NonFiniteError, ValueRefusedError
from flexlogger.model.modellogger import TooledModelLogger


@contextmanager
def watch(model: nn.Module, optimizer: Optimizer, **options: Any) -> Iterator[runs.TrackedRun]:
    """Watch a model while it is trained: `with flexlogger.watch(model, optimizer) as run:`.

    Each step of the optimizer ends a step of a `TooledModelLogger`, whose `options` these are: `sources`, `stats`,
    `layers`, `every`, `mode`, and what it passes on to a run that is opened: `project`, `name`, `server`, `sinks` …
    `run` is what `flexlogger.runs.init` returns, for everything else there is to log. Statistics are at the number of
    the optimizer's step, from where the run stands when the block begins.

    A run that the script has opened is shared and left open; one that is opened here ends with the block, as crashed
    where an exception ended that. Model and optimizer are then as they were.

    Raises ValueRefusedError or ConfigError for options that cannot be, and NonFiniteError out of the optimizer's step
    where `stop_on_nan` asked for it.

    >>> import torch
    >>> from flexlogger.sinks.memory import MemorySink
    >>> view, model = MemorySink(), nn.Linear(4, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    >>> with watch(model, optimizer, sources=["grads"], stats=["norm"], every=1, biases=False, sinks=[view]) as run:
    ...     for _ in range(2):
    ...         optimizer.zero_grad()
    ...         loss = model(torch.ones(1, 4)).sum()
    ...         loss.backward()
    ...         _ = optimizer.step()
    ...         run.log({"loss": loss})
    >>> view.series("layer_Linear.norm.grads")
    [(0, 2.0), (1, 2.0)]
    """
    if not isinstance(optimizer, Optimizer):
        raise ValueRefusedError(f"watch: expected the optimizer that trains the model, but got {optimizer!r:.60}")
    tooled = TooledModelLogger(model, optimizer, **options)
    run, opened = _run_of(tooled)
    first = run.step

    def after_step(*_: Any) -> None:
        try:
            tooled.step(at=first + tooled.tooled.steps)
        except NonFiniteError:
            raise
        except Exception as error:
            faults.swallow("logging what was watched", error)

    handle = optimizer.register_step_post_hook(after_step)
    failed = True
    try:
        yield run
        failed = False
    finally:
        handle.remove()
        tooled.close()
        if opened:
            run.finish(exit_code=int(failed))


def _run_of(tooled: TooledModelLogger) -> tuple[runs.TrackedRun, bool]:
    """The run that a model is logged into, and whether it is taken hold of here."""
    current, session = runs.run, tooled.logger.session
    if current is not None and current.session is session:
        return current, False
    try:
        return runs.init(session.project, id=session.id), True
    except Exception:
        tooled.close()
        raise
