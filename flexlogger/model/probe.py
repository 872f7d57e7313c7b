"""Watching a model run: what its layers take and return, and the gradients that come back.

While a step is watched, two hooks of torch see every module that is called; otherwise there are none, and the model's
modules never hold any. Gradients are seen by hooks on the tensors: they are right for in-place activations, outputs in
tuples and dicts, and checkpointed layers, where backward hooks on modules are not.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.hooks import After, Before, OnGrad, repeating
from flexlogger.model.layers import measured
from flexlogger.model.plan import Plan


class Site:
    """A layer that is watched: its keys by source, and what has happened to it since the step began."""

    __slots__ = ("active", "first_pass", "grad_in", "grad_out", "hooked_in", "hooked_out", "inputs", "outputs")

    def __init__(self, keys: Mapping[str, int]) -> None:
        self.inputs, self.outputs = keys.get("inputs", -1), keys.get("outputs", -1)
        self.grad_in, self.grad_out = keys.get("grad_in", -1), keys.get("grad_out", -1)
        self.begin()

    def begin(self) -> None:
        """Forget what has happened."""
        self.first_pass = 0  # the number of the pass that called it first; 0: not called
        self.active = False  # whether the call that is running counts
        self.hooked_in = self.hooked_out = False  # whether a pass that is no repetition had tensors to put hooks on


class Probe:
    """Fills a collection while armed. `failed` is told the first error; then nothing is collected any more.
    `left_out` is asked when a pass with gradients begins: whether those before were of a step that a scaler left out.

    One pass is everything within one call of the model, or of a part of it from outside; also where DataParallel runs
    copies of it in its place. A pass with gradients displaces passes without (an evaluation), before and after it.
    """

    by_itself = False
    """Whether what it collects is there without `gather` having been told."""

    def __init__(
        self,
        plan: Plan,
        model: nn.Module,
        scaler: Any,
        failed: Callable[[Exception], None],
        left_out: Callable[[], bool] = bool,
    ) -> None:
        self._plan, self._scaler, self._left_out, self._failed = plan, scaler, left_out, failed
        self._modules = list(model.modules())  # held, so that nobody else gets their ids
        self._sites: dict[int, Site | None] = {id(module): None for module in self._modules}
        self._layers = {layer.name: Site(plan.keys[layer.name]) for layer in plan.layers}
        self._sites |= {id(layer.module): self._layers[layer.name] for layer in plan.layers}
        # DataParallel's replicas are other modules with the same dictionaries of hooks
        self._replicas = {id(layer.module._forward_hooks): self._layers[layer.name] for layer in plan.layers}
        wanted = plan.wanted
        self._same_values = wanted.get("inputs") is not None and wanted.get("inputs") == wanted.get("outputs")
        self._same_grads = wanted.get("grad_in") is not None and wanted.get("grad_in") == wanted.get("grad_out")
        self._root = id(model)
        self._handles: list[Any] = []
        self._lock = threading.Lock()  # autograd runs a thread a device
        self._leaves: list[tuple[torch.Tensor, Any, bool]] = []
        self.generation = 0
        self.own = 0.0
        """Seconds spent in hooks since the step began."""
        self._begin()

    # ---- when

    def arm(self, gather: Gather, every_pass: bool) -> None:
        """Watch from now on; without `every_pass` each layer's first pass only."""
        self.generation += 1
        self._release()
        self._gather, self._every_pass = gather, every_pass
        self._begin()
        if not self._handles:
            self._handles.append(torch_module.register_module_forward_pre_hook(Before(self)))
            self._handles.append(torch_module.register_module_forward_hook(After(self), with_kwargs=True))

    def _begin(self) -> None:
        self.own = 0.0
        self.passes = self._depth = 0
        self._with_grad = self._ignoring = self._factor_known = False
        self._values: dict[int, tuple[Any, int, list[int]]] = {}
        self._hooks: dict[int, tuple[Any, int, OnGrad]] = {}
        for site in self._layers.values():
            site.begin()

    def disarm(self) -> None:
        """Watch no more. Hooks on the tensors of a graph that is still alive do nothing."""
        self.generation += 1
        while self._handles:
            handle = self._handles.pop()
            handle.remove()
            torch_module._global_forward_hooks_with_kwargs.pop(handle.id, None)  # torch forgets to
        self._release()
        self._values.clear()
        self._hooks.clear()

    def deliver(self, gather: Gather) -> None:
        """Nothing to hand over: it has been told everything."""

    def remove(self) -> None:
        """Nothing is left after `disarm`."""

    def _release(self) -> None:
        """Leave tensors that outlive their graph as they were."""
        while self._leaves:
            tensor, handle, had_hooks = self._leaves.pop()
            handle.remove()
            if not had_hooks and not tensor._backward_hooks:
                tensor._backward_hooks = None

    @property
    def ran(self) -> bool:
        """Whether the model has run: hooks have seen it, or compiled code without hooks has left gradients."""
        parameters = (p for module in self._modules for p in module._parameters.values())
        return bool(self.passes) or any(p is not None and p.grad is not None for p in parameters)

    @property
    def unseen(self) -> list[str] | None:
        """The layers that were not called; None where the model has not run."""
        if not self.ran:
            return None
        return [name for name, site in self._layers.items() if not site.first_pass]

    # ---- modules

    def before(self, module: nn.Module, args: Any) -> None:
        """A module is about to run."""
        site = self._sites.get(id(module), _STRANGER)
        start = perf_counter()
        try:
            if site is not _STRANGER:
                self._enter(site, args, id(module) == self._root)
            elif "_is_replica" in module.__dict__:
                with self._lock:
                    self._call(self._replicas.get(id(module._forward_hooks)), args, repeating())
            elif self._replicates(module):
                self._enter(None, args, self._has_all(module))
        except Exception as error:
            self._failed(error)
        self.own += perf_counter() - start

    def after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A module has run."""
        site = self._sites.get(id(module), _STRANGER)
        start = perf_counter()
        try:
            if site is not _STRANGER:
                repeated = repeating()
                self._exit(repeated, id(module) == self._root)
                if site is not None and site.active:
                    self._leave(site, kwargs, output, repeated)
            elif "_is_replica" in module.__dict__:
                replica = self._replicas.get(id(module._forward_hooks))
                with self._lock:
                    if replica is not None and replica.active:
                        self._leave(replica, kwargs, output, repeating())
            elif self._replicates(module):
                self._exit(repeating(), self._has_all(module))
        except Exception as error:
            self._failed(error)
        self.own += perf_counter() - start

    def _replicates(self, module: nn.Module) -> bool:
        """Whether a stranger is a DataParallel that runs copies of what is ours, and never that itself."""
        several = isinstance(module, nn.DataParallel) and len(module.device_ids) > 1
        return several and any(id(inner) in self._sites for inner in module.modules())

    def _has_all(self, module: nn.Module) -> bool:
        return any(id(inner) == self._root for inner in module.modules())

    def _enter(self, site: Site | None, args: Any, whole: bool) -> None:
        repeated = repeating()
        if not repeated:
            if whole and self._depth:
                self._abandon_pass()
            if not self._depth:
                self._begin_pass()
            self._depth += 1
        self._call(site, args, repeated)

    def _call(self, site: Site | None, args: Any, repeated: bool) -> None:
        if site is None:
            return
        if not repeated:
            site.first_pass = site.first_pass or self.passes
            site.active = not self._ignoring and (self._every_pass or site.first_pass == self.passes)
        if site.active:
            self._take(site, args, repeated)

    def _exit(self, repeated: bool, whole: bool) -> None:
        if not repeated and self._depth:
            # calls whose exception the model has caught itself never came here
            self._depth = 0 if whole else self._depth - 1

    def _abandon_pass(self) -> None:
        """The last pass ended in an exception: it does not count, unless others are mixed with it already."""
        self._depth = 0
        if self.passes == 1:
            self._forget()
            self.passes = 0
            self._with_grad = False

    def _forget(self) -> None:
        self._gather.forget()
        self._values.clear()
        for site in self._layers.values():
            site.begin()

    def _begin_pass(self) -> None:
        self.passes += 1
        with_grad = torch.is_grad_enabled()
        self._ignoring = torch._C._get_tracing_state() is not None or (self._with_grad and not with_grad)
        if with_grad and self._left_out():
            self.passes, self._factor_known = 1, False
            self._forget()
        elif with_grad and not self._with_grad and self.passes > 1:
            self._forget()
        self._with_grad |= with_grad

    # ---- tensors

    def _take(self, site: Site, args: Any, repeated: bool) -> None:
        if (site.inputs >= 0 or site.grad_in >= 0) and args:
            tensors = measured(args)
            if site.inputs >= 0 and not repeated:
                for tensor in tensors:
                    self._add(site.inputs, tensor, self._plan.wanted["inputs"], self._same_values)
            if site.grad_in >= 0 and not (repeated and site.hooked_in):
                for tensor in tensors:
                    if tensor.requires_grad:
                        site.hooked_in |= not repeated
                        self._hook(site.grad_in, tensor, self._plan.wanted["grad_in"])

    def _leave(self, site: Site, kwargs: Mapping[str, Any], output: Any, repeated: bool) -> None:
        tensors = measured(output)
        if kwargs:  # torch shows them only now; what the layer has overwritten in place is no input any more
            inputs = {name: value for name, value in kwargs.items() if not any(value is tensor for tensor in tensors)}
            self._take(site, inputs, repeated)
        if site.outputs >= 0 and not repeated:
            for tensor in tensors:
                self._add(site.outputs, tensor, self._plan.wanted["outputs"], self._same_values)
        if site.grad_out >= 0 and not (repeated and site.hooked_out):
            for tensor in tensors:
                if tensor.requires_grad:
                    site.hooked_out |= not repeated
                    self._hook(site.grad_out, tensor, self._plan.wanted["grad_out"])

    def _add(self, key: int, tensor: torch.Tensor, wanted: Wanted, same: bool) -> None:
        """Add a value; one layer's output that is the next one's input only once."""
        if not same or tensor.is_inference():
            self._gather.add(key, tensor, wanted)
            return
        known = self._values.get(id(tensor))
        if known is not None and known[0]() is tensor and known[1] == tensor._version:
            known[2].append(key)
        else:
            keys = self._gather.add(key, tensor, wanted)
            self._values[id(tensor)] = weakref.ref(tensor), tensor._version, keys

    def _hook(self, key: int, tensor: torch.Tensor, wanted: Wanted) -> None:
        """Wait for the gradient of a tensor as it is now: a change in place makes it another one."""
        known = self._hooks.get(id(tensor)) if self._same_grads else None
        if known is not None and known[0]() is tensor and known[1] == tensor._version:
            known[2].keys.append(key)
            return
        hook = OnGrad(self, self.generation, key, wanted)
        had_hooks = tensor._backward_hooks is not None
        handle = tensor.register_hook(hook)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if tensor.is_leaf:  # it outlives the graph: a parameter that a layer is given as its input
            self._leaves.append((tensor, handle, had_hooks))
        if self._same_grads:
            self._hooks[id(tensor)] = weakref.ref(tensor), tensor._version, hook

    def take_grad(self, hook: OnGrad, grad: torch.Tensor) -> None:
        """A gradient has come back."""
        start = perf_counter()
        try:
            with self._lock:
                if self._scaler is not None and not self._factor_known:
                    self._gather.factor = self._scaler.scale(torch.ones((), device=grad.device))
                    self._factor_known = True
                self._gather.add(hook.keys[0], grad, hook.wanted, scaled=True).extend(hook.keys[1:])
        except Exception as error:
            self._failed(error)
        self.own += perf_counter() - start


_STRANGER = Site({})
"""Stands for a module of another model."""
