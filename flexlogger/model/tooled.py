"""TooledModel: statistics of weights, gradients and activations of a model, layer by layer."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from torch import nn

from flexlogger import faults
from flexlogger.errors import ValueRefusedError
from flexlogger.model.collector import Collector
from flexlogger.model.hooks import Inert
from flexlogger.model.layers import Choice, unwrapped
from flexlogger.model.own import Stat
from flexlogger.model.plan import Plan, Sources
from flexlogger.model.schedule import schedule
from flexlogger.model.snapshot import Snapshot, Table
from flexlogger.model.table import print_table


class TooledModel:
    """Watches a model in some of its training steps.

    `sources` are among weights, grads, inputs, outputs, grad_in and grad_out; `stats` are names such as mean, std and
    norm, own functions of a tensor, or their dotted paths; a mapping `{source: stats}` gives each source its own.
    `layers` are chosen by glob, `re:` and a regular expression, `type:` and a class's name, class or function of name
    and module (default: modules without children or with parameters of their own); `biases` adds parameters called
    bias.

    Histograms have `bins` bins, counted from `sample` entries of a tensor at most ('all': from every one).

    A step is collected `every` so many, or as often as `budget` (of the steps' time: '1%') allows. The first is.
    With an `optimizer`, each of its steps ends one of ours: all forward passes up to it are pooled, and gradients are
    read as it sees them. Of several optimizers, in the order in which they step, the first one's step reads and the
    last one's ends. Without, `step` ends one, and each layer's first pass counts. `scaler` is a GradScaler whose scale
    is taken out of grad_in and grad_out.

    Collected steps of a compiled model run eagerly, unless `in_graph` makes the statistics a part of what is compiled:
    make it before the first compiled call then. Only then do the model's modules hold hooks.

    The model itself is never changed; an error in here ends collecting, not training. Raises ValueRefusedError for
    what cannot be collected.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 3))
    >>> tooled = TooledModel(model)
    >>> model(torch.rand(2, 20)).sum().backward()
    >>> table = tooled.table(show=False)
    >>> list(table), sorted(table["1"])
    (['0', '1'], ['grad_in', 'grad_out', 'inputs', 'weights'])
    >>> bool(abs(table["0"]["weights"]["mean"] - model[0].weight.mean()) < 1e-6)
    True
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        *,
        sources: Sources = None,
        stats: Iterable[Stat] | None = None,
        layers: Choice = None,
        every: int | None = None,
        budget: float | str | None = None,
        biases: bool = False,
        scaler: Any = None,
        bins: int = 64,
        sample: int | str = 16384,
        in_graph: bool = False,
        allow_imports: Iterable[str] = (),
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueRefusedError(f"TooledModel: expected a torch.nn.Module, but got {type(model).__name__}")
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ValueRefusedError(f"bins: expected an integer of at least 1, but got {bins!r}")
        optimizers = _optimizers(optimizer)
        self._schedule = schedule(every, budget)
        self.plan = Plan(model, sources, stats, layers, biases, allow_imports)
        if self.plan.updates and not optimizers:
            raise ValueRefusedError(
                "update_ratio: needs the optimizer, whose steps it measures: pass it with the model"
            )
        self._collector = Collector(unwrapped(model), self.plan, scaler, bins, _entries(sample), in_graph, optimizers)
        self._handles: list[Any] = []
        weakref.finalize(self, _let_go, self._handles, self._collector).atexit = False
        self.auto = bool(optimizers)
        """Whether the optimizer's steps end ours; False where `step` is called."""
        self._counted = bool(optimizers)
        self._handles += [one.register_step_pre_hook(_BeforeStep(self)) for one in optimizers]
        self._handles += [one.register_step_post_hook(_AfterStep(self)) for one in optimizers]
        self._ending = id(optimizers[-1]) if optimizers else None
        self._collected = 0
        self._step = self._next = 0
        self._began: float | None = None
        self._latest: Snapshot | None = None
        self._unseen: list[str] | None = None
        self._collector.arm(self._counted)

    # ---- looking

    @property
    def layers(self) -> list[str]:
        """The fully qualified names of the layers that are watched."""
        return [layer.name for layer in self.plan.layers]

    @property
    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Other names of layers that stand in the model more than once."""
        return {layer.name: layer.aliases for layer in self.plan.layers if layer.aliases}

    @property
    def latest(self) -> Snapshot | None:
        """The latest collected step that has ended."""
        return self._latest

    def snapshot(self) -> Snapshot | None:
        """What was collected of the step that is running, as it is now; the next forward pass then begins anew.

        Where nothing new was collected, the latest.
        """
        if self._collector.touched or self._latest is None:
            armed = self._collector.armed
            self._collector.look()
            self._latest = self._collector.finish(self._step) or self._latest
            if armed:
                self._look_for_unseen()
            self._collector.arm(self._counted)
        return self._latest

    def table(self, show: bool = True) -> Table:
        """Print `snapshot` as a table and return it: `table()['0']['inputs']['mean']`.

        What does not exist is `–` in print, and has no key. Waits for a device.
        """
        snapshot = self.snapshot()
        if snapshot is None:
            return {}
        table = snapshot.table()
        if show:
            print_table(table, self.plan.stats, snapshot.frozen)
        return table

    def status(self) -> dict[str, Any]:
        """What collecting costs, and whether it works, in plain data.

        `every`: steps from one collected to the next; `cost_ms` of a collected step, `step_ms` of any other; `share`:
        time added to training so far, as a fraction; `unseen`: layers that were not called in the first collected step.
        """
        cost = self._schedule.cost
        return {
            "steps": self._step,
            "collected": self._collected,
            "every": self._schedule.k,
            "cost_ms": 1e3 * cost.each,
            "step_ms": 1e3 * cost.step,
            "share": cost.share if cost.steps else 0.0,
            "unseen": list(self._unseen or ()),
            "aliases": self.aliases,
            "broken": self._collector.broken,
        }

    # ---- stepping

    @property
    def steps(self) -> int:
        """How many steps have ended."""
        return self._step

    @property
    def due(self) -> bool:
        """Whether the step that is running is collected."""
        return self._collector.armed

    def read_grads(self) -> None:
        """Read weights and gradients now: call it before clipping to see gradients that are not clipped yet."""
        self._collector.read()

    def step(self, collect: bool = False) -> Snapshot | None:
        """End a training step; return what was collected of it, None where it was not due.

        With `collect`, a step that was not due gives what can be read afterwards: weights and gradients.
        """
        collector, schedule = self._collector, self._schedule
        due, armed = self._step >= self._next, collector.armed
        if collect and not armed:
            collector.arm(self._counted)
        snapshot, own = None, None
        if collector.armed:
            if collector.touched or self._latest is None or self._latest.step != self._step:
                self._latest = collector.finish(self._step) or self._latest
            collector.disarm()  # what `snapshot` has taken out of this step is all there is of it
            if armed:
                self._look_for_unseen()
            snapshot, own = self._latest, collector.own
            self._collected += 1
        now = perf_counter()
        if self._began is not None:
            schedule.cost.ended(now - self._began, own)
        self._began = now
        self._next = schedule.next(self._step, due, collector.broken is not None)
        self._step += 1
        collector.ended()
        if self._step >= self._next:
            collector.arm(self._counted)
        return snapshot

    def clear(self) -> None:
        """Forget what was collected, and watch nothing until the next step that is due."""
        self._collector.disarm()
        self._latest = None

    def remove(self) -> None:
        """Stop for good: the optimizer and torch forget us too."""
        self._latest = None
        _let_go(self._handles, self._collector)
        self._collector.broken = self._collector.broken or "removed"

    def _look_for_unseen(self) -> None:
        """After the first collected step, tell which layers no hook has seen."""
        if self._unseen is None:
            self._unseen = self._collector.unseen
            if self._unseen:
                faults.log.warning("flexlogger: %s", _unseen(self._unseen))

    def _before_step(self, optimizer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self._collector.before_step(optimizer, _closure(args, kwargs))

    def _after_step(self, optimizer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self._collector.stepped(optimizer)
        if id(optimizer) == self._ending:
            self._collector.read_updates()
            if self.auto:
                self.step()


def _optimizers(given: Any) -> list[Any]:
    """The optimizers given: none, one, or several."""
    several = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    for one in several:
        if not hasattr(one, "register_step_pre_hook"):
            raise ValueRefusedError(f"optimizer: expected a torch.optim.Optimizer, but got {type(one).__name__}")
    return list({id(one): one for one in several}.values())


def _entries(sample: int | str) -> int | None:
    if sample == "all":
        return None
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 1:
        raise ValueRefusedError(f"sample: expected an integer of at least 1 or 'all', but got {sample!r}")
    return sample


def _closure(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a step computes its gradients itself."""
    return kwargs.get("closure") is not None or (len(args) > 1 and args[1] is not None)


def _unseen(names: list[str]) -> str:
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return (
        f"no hook has seen these layers in the first collected step: {listed}. They are not called as modules (their "
        "weights are used directly, a fast path skips them, or code was compiled after the model was tooled); their "
        "inputs, outputs and gradients of these stay empty."
    )


def _let_go(handles: list[Any], collector: Collector) -> None:
    while handles:
        handles.pop().remove()
    collector.remove()


class _BeforeStep(Inert):
    def __init__(self, tooled: TooledModel) -> None:
        self._tooled = weakref.ref(tooled)

    def __call__(self, optimizer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        tooled = self._tooled()
        if tooled is not None:
            tooled._before_step(optimizer, args, kwargs)


class _AfterStep(_BeforeStep):
    def __call__(self, optimizer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        tooled = self._tooled()
        if tooled is not None:
            tooled._after_step(optimizer, args, kwargs)
