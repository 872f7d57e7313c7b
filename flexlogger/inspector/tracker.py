"""Modules that are tracked together: which steps are due, and what is taken of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import torch
from torch import nn

from flexlogger import faults
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.inspector.names import SOURCES
from flexlogger.inspector.outbox import Outbox
from flexlogger.model.eager import EAGER
from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.layers import Layer, unwrapped
from flexlogger.model.need import Need
from flexlogger.model.plan import Plan
from flexlogger.model.probe import Probe

_HOOKED = ("outputs", "grad_out")
_graph_task: Callable[[], int] = getattr(torch._C, "_current_graph_task_id", lambda: -1)


class Watched(msgspec.Struct, frozen=True):
    """What the probe is to see, in the shape of a `Plan`: layers, a key for each of their sources, and the sources."""

    layers: list[Layer]
    keys: dict[str, dict[str, int]]
    wanted: dict[str, Wanted]


class Taker:
    """Stands where a `Gather` collects: sends what the probe has seen, of each key once a step."""

    factor = 1.0

    def __init__(self, outbox: Outbox, names: Sequence[str], step: int) -> None:
        self._outbox, self._names, self._step = outbox, names, step
        self._done: set[int] = set()

    def add(self, key: int, tensor: torch.Tensor, wanted: Wanted, *, scaled: bool = False) -> list[int]:
        """Take one tensor."""
        if key not in self._done:
            self._done.add(key)
            self._outbox.send(self._names[key], self._step, tensor)
        return [key]

    def forget(self) -> None:
        """A pass with gradients displaces those without."""
        self._done.clear()


class Tracker:
    """Sends tensors of some `layers` of `root` to a process, in every `frequency`-th call of `clock`.

    Between such steps all there is is one hook of `clock`, which counts. Calls without gradients count until the first
    with them; afterwards they are evaluations, and not looked at. The first error in here ends the tracking: it is
    reported, and training goes on.
    """

    def __init__(
        self,
        clock: nn.Module,
        root: nn.Module,
        layers: Sequence[Layer],
        sources: Sequence[str],
        frequency: int,
        outbox: Outbox,
    ) -> None:
        self._frequency, self._outbox, self._clock = frequency, outbox, clock
        self._names: list[str] = []
        self._weights = [
            (self._key(layer.name, "weights", sources), layer.module)
            for layer in layers
            if "weights" in sources and isinstance(getattr(layer.module, "weight", None), torch.Tensor)
        ]
        hooked = [source for source in _HOOKED if source in sources]
        keys = {layer.name: {source: self._key(layer.name, source, sources) for source in hooked} for layer in layers}
        watched = Watched(list(layers), keys, {source: Wanted(Need()) for source in hooked})
        # The probe of TooledModel sees what we want to see; what it needs of a plan and a gathering we have.
        self._probe = Probe(cast(Plan, watched), root, None, self._fail) if hooked else None
        self._step = 0
        self._training = self._armed = False
        self._handle: Any = clock.register_forward_pre_hook(_Tick(self))

    def _key(self, name: str, source: str, sources: Sequence[str]) -> int:
        self._names.append(f"{name}.{source}" if len(sources) > 1 else name)
        return len(self._names) - 1

    @property
    def names(self) -> list[str]:
        """The keys that callbacks are given."""
        return list(self._names)

    @property
    def called(self) -> bool:
        """Whether a call was ever counted."""
        return self._step > 0

    def tick(self, module: nn.Module, args: Any) -> None:
        """The clock is about to run."""
        if _graph_task() != -1:  # a checkpoint that repeats it
            return
        with_grad = torch.is_grad_enabled()
        if with_grad is not self._training:
            if not with_grad:
                return
            self._training, self._step = True, 0
        step = self._step
        self._step += 1
        if step % self._frequency and not self._armed:
            return
        try:
            self._disarm()
            if not step % self._frequency:
                self._arm(step, module, args)
        except Exception as error:
            self._fail(error)

    def _arm(self, step: int, module: nn.Module, args: Any) -> None:
        if not self._outbox.begin():
            self.remove()
            return
        taker = Taker(self._outbox, self._names, step)
        for key, layer in self._weights:
            weight = layer.weight
            if isinstance(weight, torch.Tensor):
                taker.add(key, weight, Wanted(Need()))
        if self._probe is not None:
            self._armed = True
            EAGER.hold()
            self._probe.arm(cast(Gather, taker), every_pass=False)
            self._probe.before(module, args)  # torch has already asked who wants to see this very call

    def _disarm(self) -> None:
        if self._armed and self._probe is not None:
            self._armed = False
            EAGER.release()
            self._probe.disarm()

    def _fail(self, error: Exception) -> None:
        faults.swallow("looking into the model for the inspector", error)
        self.remove()

    def remove(self) -> None:
        """Take all hooks out, for good."""
        self._handle.remove()
        self._disarm()


class _Tick:
    """The hook of the clock. In a copy of the model, and in what is pickled, it does nothing."""

    def __init__(self, tracker: Tracker | None = None) -> None:
        self._tracker: Callable[[], Tracker | None] = weakref.ref(tracker) if tracker is not None else lambda: None

    def __call__(self, module: nn.Module, args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        tracker = self._tracker()
        if tracker is not None:
            tracker.tick(module, args)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Tick:
        return _Tick()

    def __reduce__(self) -> Any:
        return _Tick, ()


def check_sources(sources: Sequence[str] | str) -> tuple[str, ...]:
    """The sources asked for, each once. Raises ValueRefusedError with the nearest valid name."""
    given = (sources,) if isinstance(sources, str) else tuple(dict.fromkeys(sources))
    for source in given:
        if source not in SOURCES:
            raise ValueRefusedError(f"sources: {unknown('source', str(source), SOURCES)}")
    if not given:
        raise ValueRefusedError(f"sources: expected some of {', '.join(SOURCES)}, but got none")
    return given


def check_modules(what: str, modules: object) -> Mapping[str, nn.Module]:
    """Names and modules as given. Raises ValueRefusedError."""
    if not isinstance(modules, Mapping) or not modules:
        raise ValueRefusedError(f"{what}: expected a mapping of names to modules, but got {type(modules).__name__}")
    for name, module in modules.items():
        if not isinstance(name, str) or not name:
            raise ValueRefusedError(f"{what}: expected names that are text, but got {name!r}")
        if not isinstance(module, nn.Module):
            raise ValueRefusedError(f"{what}[{name!r}]: expected a torch.nn.Module, but got {type(module).__name__}")
        if getattr(module, "_compiled_call_impl", None) is not None:
            raise ValueRefusedError(
                f"{what}[{name!r}]: it was compiled in place, which hides it; track what torch.compile(model) returns"
            )
        first = next(other for other in modules if modules[other] is module)
        if first != name:
            raise ValueRefusedError(f"{what}[{name!r}]: it is the same module as {first!r}; name it once")
    return modules


def as_layers(modules: Mapping[str, nn.Module]) -> list[Layer]:
    """Modules under the names they were given."""
    return [Layer(name, unwrapped(module), (), False) for name, module in modules.items()]
