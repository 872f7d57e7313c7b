"""One step's collection from beginning to end: arm, let the model run, read the parameters, finish."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import nn

from flexlogger import faults
from flexlogger.model.eager import EAGER
from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.in_backward import Capture
from flexlogger.model.in_graph import GraphProbe
from flexlogger.model.need import Need
from flexlogger.model.parameters import ParameterReader
from flexlogger.model.plan import Plan
from flexlogger.model.probe import Probe
from flexlogger.model.scaling import Scaling
from flexlogger.model.shelves import Shelves
from flexlogger.model.snapshot import Snapshot


class Collector:
    """Collects a step between `arm` and `finish`. The first error of its own ends collecting for good: it is reported,
    and training goes on. `before_step` and `stepped` are to be called with the steps of all `optimizers`.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        scaler: Any,
        bins: int,
        sample: int | None,
        in_graph: bool = False,
        optimizers: Collection[Any] = (),
    ) -> None:
        self.plan = plan
        self._scaler, self._bins, self._sample = scaler, bins, sample
        self._scaling = Scaling(scaler, optimizers, in_graph)
        self._shelves = Shelves()
        self._probe: Probe | GraphProbe | None = None
        if plan.hooks:
            self._probe = GraphProbe(plan, model) if in_graph else Probe(plan, model, scaler, self.fail, self._left_out)
        self._reader = ParameterReader(plan.parameters, plan.wanted.get("weights"), plan.wanted.get("grads"))
        grads = plan.wanted.get("grads")
        self._capture = Capture(self._reader, grads, self.fail) if grads is not None else None
        self._eager = False
        self._gather: Gather | None = None
        self._own = 0.0
        self.broken: str | None = None
        """What ended collecting."""

    @property
    def armed(self) -> bool:
        """Whether a step is being collected."""
        return self._gather is not None

    @property
    def own(self) -> float:
        """Seconds spent here since `arm`."""
        return self._own + (self._probe.own if self._probe is not None else 0.0)

    @property
    def touched(self) -> bool:
        """Whether there is anything new that `finish` would show: always where nothing waits for the model to run."""
        return self._gather is not None and (self._probe is None or self._probe.by_itself or not self._gather.empty)

    @property
    def unseen(self) -> list[str] | None:
        """Layers that were not called in the step that was collected last; None where that is not known yet."""
        return self._probe.unseen if self._probe is not None else None

    def fail(self, error: Exception) -> None:
        """Give up: report the error once, take all hooks out."""
        if self.broken is None:
            self.broken = f"{type(error).__name__}: {error}"
            faults.swallow("collecting statistics of the model", error)
        self.disarm()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Our own code: its time counts, its errors end here."""
        start = perf_counter()
        try:
            yield
        except Exception as error:
            self.fail(error)
        finally:
            self._own += perf_counter() - start

    def arm(self, every_pass: bool) -> None:
        """Begin a collection; without `every_pass`, of each layer's first pass only."""
        if self.broken is not None:
            return
        self.disarm()
        self._own = 0.0
        with self._at_work():
            self._gather = Gather(self.plan.need, self._shelves, bins=self._bins, sample=self._sample)
            self._read = self._early = self._remembered = False
            if self._capture is not None:
                self._capture.arm(self._gather)
            if self._probe is not None:
                self._probe.arm(self._gather, every_pass)
                if not self._probe.by_itself:
                    EAGER.hold()
                    self._eager = True

    def disarm(self) -> None:
        """Take all hooks out and forget what was collected."""
        self._gather = None
        if self._eager:
            self._eager = False
            EAGER.release()
        if self._probe is not None:
            self._probe.disarm()
        if self._capture is not None:
            self._capture.disarm()

    def remove(self) -> None:
        """Take out also what stays between steps."""
        self.disarm()
        if self._probe is not None:
            self._probe.remove()

    def look(self) -> None:
        """The step is to be read before it has ended."""
        with self._at_work():
            self._scaling.mid_step()

    def _left_out(self) -> bool:
        """Whether a scaler has left out the step that was collected so far; then it is to be read anew."""
        if not self._scaling.anew():
            return False
        self._read = self._early = self._remembered = False
        return True

    def read(self, scale: torch.Tensor | None = None) -> None:
        """Read weights and gradients, once a step. `scale` is what a GradScaler left to a fused optimizer."""
        gather = self._gather
        if gather is not None and self._probe is None and self._left_out():
            gather.forget()
        if gather is None or self._read:
            return
        self._read = True
        with self._at_work(), torch.no_grad():
            if self._capture is not None:
                self._capture.settle()
            if scale is not None and self._scaler is None:
                gather.factor = scale
            self._reader.read(gather, scale)

    def before_step(self, optimizer: Any, closure: bool) -> None:
        """An optimizer is about to step; with a `closure` it computes gradients in there, and they are read later."""
        with self._at_work():
            self._scaling.stepping(optimizer)
        gather = self._gather
        if gather is None:
            return
        if not closure:
            self._early = not self._read
            self.read(getattr(optimizer, "grad_scale", None))
        if self.plan.updates and not self._remembered:
            self._remembered = True
            with self._at_work():
                self._reader.look(gather)
                self._reader.remember()

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has stepped."""
        self._scaling.stepped(optimizer)

    def read_updates(self) -> None:
        """All optimizers have stepped."""
        gather = self._gather
        if self.plan.updates and gather is not None:
            with self._at_work():
                self._reader.read_updates(gather, Wanted(Need(square=True)))

    def finish(self, step: int) -> Snapshot | None:
        """End the collection; None where there is none."""
        self.read()
        gather, snapshot = self._gather, None
        if gather is None:
            return None
        with self._at_work():
            if self._probe is not None:
                if self._probe.by_itself and self._scaler is not None:
                    gather.factor = self._scaling.factor
                self._probe.deliver(gather)
            skipped = self._scaling.skipped
            if skipped is not False:
                gather.skipped = skipped
            frozen = frozenset(self._reader.frozen)
            snapshot = Snapshot(self.plan, gather.finish(), step, frozen, self._early)
        self.disarm()
        return snapshot

    def ended(self) -> None:
        """A step has ended, whether it was collected or not."""
        self._scaling.begin()
