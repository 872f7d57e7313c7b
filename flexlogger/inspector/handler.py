"""ParallelHandler: tensors of a model go to processes of their own while it trains."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import nn

from flexlogger import faults
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.inspector.callbacks import OnClosing, OnRun
from flexlogger.inspector.names import within
from flexlogger.inspector.outbox import Outbox
from flexlogger.inspector.process import Process
from flexlogger.inspector.tracker import Tracker, as_layers, check_modules, check_sources
from flexlogger.model.layers import Choice, Layer, select_layers, unwrapped

CAPACITY = 64 * 2**20
NEW = -1
"""Stands for a process of its own."""


class ParallelHandler:
    """Sends tensors to callbacks in other processes. There is one in a program: later calls return it, until `stop`.

    `callback_onrun` is called there with each tensor (see `flexlogger.inspector.callbacks.OnRun` for what it is given),
    `callback_onclosing` without arguments at the end. Every `frequency`-th step is sent, from the first on: a step is a
    call of the model, or of the first of the layers that are tracked together. A process whose callback does not come
    back within `timeout` seconds is ended; so is one that needs longer at the end. `capacity` is how many bytes of
    memory are shared with each process.

    Tensors are copied, and dropped and counted where there is no room for them; a process that dies or hangs, and a
    callback that raises, are reported once. None of it reaches training.

    Raises ValueRefusedError for settings that cannot be.
    """

    _one: ParallelHandler | None = None
    _lock = threading.Lock()

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        """Return the one that there is, or the first one."""
        with ParallelHandler._lock:
            one = ParallelHandler._one
        if not isinstance(one, cls):
            return super().__new__(cls)
        if args or settings:
            faults.log.warning(
                "flexlogger: there is a ParallelHandler already, and it stays as it is; stop() it for another one"
            )
        return one

    def __init__(
        self,
        callback_onrun: OnRun | None = None,
        callback_onclosing: OnClosing | None = None,
        frequency: float = 1.0,
        timeout: float = 30.0,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        if self is ParallelHandler._one:
            return
        self._frequency = _frequency(frequency)
        if wrong := within("timeout", timeout):
            raise ValueRefusedError(f"timeout: {wrong}")
        self._timeout = timeout
        self._capacity = _bytes(capacity)
        if not callable(callback_onrun):
            raise ValueRefusedError(f"callback_onrun: expected a function, but got {callback_onrun!r}")
        if callback_onclosing is not None and not callable(callback_onclosing):
            raise ValueRefusedError(f"callback_onclosing: expected a function or None, but got {callback_onclosing!r}")
        self._callbacks = callback_onrun, callback_onclosing
        self._outboxes: dict[int, tuple[Process, Outbox]] = {}
        self._trackers: list[Tracker] = []
        self._keys: dict[int, set[str]] = {}
        self._message = ""
        ParallelHandler._one = self
        atexit.register(self.stop)

    @staticmethod
    def running() -> ParallelHandler | None:
        """The one of this program, where there is one that was not stopped."""
        return ParallelHandler._one

    # ---- what is tracked

    def track_model(
        self,
        unique_id: int,
        models: Mapping[str, nn.Module],
        *,
        sources: Sequence[str] | str = ("outputs", "grad_out"),
        layers: Choice = None,
    ) -> int:
        """Track whole models, `{name: model}`, or those of their `layers` that TooledModel would choose.

        `unique_id` is the number of the process that is to get the tensors: -1 starts one, and so does a number that
        none has yet; one that exists takes these on. Returns its number. `sources` are among outputs, grad_out (the
        gradient that comes back) and weights.

        A callback's key is the name; with `layers`, `name.layer`; with several sources, `name.source`. Of what returns
        several tensors the first is taken, of what is called several times in a step the first call.

        Raises ValueRefusedError for a key that the process has already, layers or sources that there are not, and
        callbacks that cannot be loaded in another process.
        """
        chosen = check_sources(sources)
        groups: list[tuple[nn.Module, nn.Module, list[Layer]]] = []
        for name, model in check_modules("track_model", models).items():
            groups.append((model, unwrapped(model), _layers_of(name, model, layers)))
        return self._track(unique_id, groups, chosen)

    def track_layer(
        self,
        unique_id: int,
        layers: Mapping[str, nn.Module],
        *,
        sources: Sequence[str] | str = ("outputs", "grad_out"),
    ) -> int:
        """Track some layers, `{name: module}`; the rest is as for `track_model`. A step is a call of the first one."""
        chosen = check_sources(sources)
        modules = check_modules("track_layer", layers)
        found = as_layers(modules)
        root = nn.ModuleList([layer.module for layer in found])
        return self._track(unique_id, [(next(iter(modules.values())), root, found)], chosen)

    def _track(
        self, unique_id: int, groups: Sequence[tuple[nn.Module, nn.Module, list[Layer]]], sources: tuple[str, ...]
    ) -> int:
        if self is not ParallelHandler._one:
            raise ValueRefusedError("this ParallelHandler was stopped; make another one")
        number = _number(unique_id, self._outboxes)
        if sources == ("weights",) and not any(hasattr(layer.module, "weight") for _, _, ls in groups for layer in ls):
            raise ValueRefusedError("sources: none of these layers has a weight")
        names = [layer.name for _, _, found in groups for layer in found]
        taken = self._keys.get(number, set()) & set(names)
        if taken:
            raise ValueRefusedError(f"process {number} gets a {min(taken)!r} already; choose another name")
        outbox = self._outbox(number)
        self._keys.setdefault(number, set()).update(names)
        for clock, root, found in groups:
            self._trackers.append(Tracker(clock, root, found, sources, self._frequency, outbox))
        return number

    def _outbox(self, number: int) -> Outbox:
        if number not in self._outboxes:
            process = Process(number, *self._callbacks, self._timeout, self._capacity)
            self._outboxes[number] = process, Outbox(process)
            self._outboxes[number][1].message = self._message
        return self._outboxes[number][1]

    def set_internal_message(self, internal_message: str) -> None:
        """Say something, such as an epoch's number, that callbacks are given with every tensor from now on."""
        self._message = str(internal_message)
        for _, outbox in self._outboxes.values():
            outbox.message = self._message

    # ---- health and end

    def is_alive(self, unique_id: int | None = None) -> bool:
        """Whether the process of that number runs, or without one, all of them."""
        if unique_id is None:
            return bool(self._outboxes) and all(process.alive for process, _ in self._outboxes.values())
        if unique_id not in self._outboxes:
            raise ValueRefusedError(unknown("process", str(unique_id), map(str, self._outboxes)))
        return self._outboxes[unique_id][0].alive

    def status(self) -> dict[int, dict[str, Any]]:
        """Health of each process, by its number, in plain data: whether it is alive, tensors sent, dropped by reason,
        taken and waiting, and how often each callback has raised."""
        return {number: outbox.status() for number, (_, outbox) in self._outboxes.items()}

    def stop(self) -> bool:
        """Track nothing more; wait until the processes have done what they were sent, at most `timeout` seconds, and
        have ended. True where all of them did and nothing was dropped. Called at the interpreter's exit as well."""
        if self is not ParallelHandler._one:
            return True
        ParallelHandler._one = None
        atexit.unregister(self.stop)
        for tracker in self._trackers:
            tracker.remove()
        for _, outbox in self._outboxes.values():
            outbox.close()
        for process, _ in self._outboxes.values():
            process.end()
        ended = [process.join() for process, _ in self._outboxes.values()]
        return self._tell() and all(ended)

    def _tell(self) -> bool:
        """Say what did not get through."""
        for tracker in self._trackers:
            if not tracker.called:
                faults.log.warning(
                    "flexlogger: nothing was seen of %s: no call of the module reached the inspector. If it was "
                    "compiled, track what torch.compile returned",
                    ", ".join(map(repr, tracker.names)),
                )
        complete = True
        for number, (process, outbox) in self._outboxes.items():
            if outbox.dropped:
                complete = False
                faults.log.warning(
                    "flexlogger: %d tensors reached the inspector's process %d; dropped, by reason: %s",
                    process.taken,
                    number,
                    dict(outbox.dropped),
                )
        return complete

    def _forget(self) -> None:
        """In a forked child: hooks are gone from the model, and the processes are the parent's."""
        for tracker in self._trackers:
            tracker.remove()
        for process, _ in self._outboxes.values():
            process.disown()
        atexit.unregister(self.stop)


def _after_fork() -> None:
    one, ParallelHandler._one = ParallelHandler._one, None
    ParallelHandler._lock = threading.Lock()
    if one is not None:
        one._forget()


os.register_at_fork(after_in_child=_after_fork)


def _layers_of(name: str, model: nn.Module, choice: Choice) -> list[Layer]:
    if choice is None:
        return as_layers({name: model})
    return [Layer(f"{name}.{layer.name}", layer.module, (), False) for layer in select_layers(model, choice)]


def _frequency(given: float) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 1 or given % 1:
        raise ValueRefusedError(
            f"frequency: expected a whole number of steps, at least 1 (20 sends every 20th), but got {given!r}"
        )
    return int(given)


def _bytes(given: float) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 4096 <= given < 2**48:
        raise ValueRefusedError(f"capacity: expected a number of bytes, at least 4096, but got {given!r}")
    return int(given)


def _number(unique_id: object, taken: Mapping[int, object]) -> int:
    if isinstance(unique_id, bool) or not isinstance(unique_id, int) or unique_id < NEW:
        raise ValueRefusedError(f"unique_id: expected -1 or the number of a process, but got {unique_id!r}")
    return max(taken, default=-1) + 1 if unique_id == NEW else unique_id
