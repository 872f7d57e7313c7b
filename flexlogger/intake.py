"""What measures: values in by `add`, records out by `log`. The hot path of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from time import time
from typing import Any

import torch

from flexlogger import faults
from flexlogger.channels import Channel, Draft
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.meters.base import ScalarMeter
from flexlogger.meters.reduced import Reduced
from flexlogger.pipe.thread import ThreadPipe
from flexlogger.readback import Readback
from flexlogger.records import Record, Step, weight
from flexlogger.steps import checked_step

FOLD_EVERY = 4096
"""Floats wait in their meter's buffer; after this many `add` calls without a `log` they are folded in."""
_WIDE = 8
"""Scalars up to which a record weighs what the pipe takes for granted."""


class Intake:
    """Meters, a step counter and a pipe. `_measure_with` sets the meters, `_send_to` the pipe, before anything else."""

    def _send_to(self, pipe: ThreadPipe, readback: Readback, first: Step = 0) -> None:
        self._pipe = pipe
        self._submit = pipe.submit
        self._readback = readback
        self._next: int = math.ceil(first)
        self._room = FOLD_EVERY
        self._last: dict[str, Any] = {}
        self._warned: set[str] = set()
        self._refused: dict[str, int] = {}

    def _measure_with(self, channels: dict[str, Channel], strict: bool, max_media: int) -> None:
        """Decide here what each name's floats are pushed into, and whom `log` has to ask, so that both run straight."""
        self._channels = channels
        self._strict = strict
        self._max_media = max_media
        self._push = {}
        self._singles: list[tuple[str, list[float], ScalarMeter]] = []
        self._asked: list[Channel] = []  # may have something to log without an `add` that was noted
        self._noted: set[str] = set()  # the rest …
        self._fed: dict[str, Channel] = {}  # … and where there was one
        for name, channel in channels.items():
            meter = channel.meter
            self._push[name] = meter.buffer.append if isinstance(meter, ScalarMeter) else meter.add
            if isinstance(meter, ScalarMeter) and meter.single and not meter.windowed:
                self._singles.append((name, meter.buffer, meter))
            elif isinstance(meter, ScalarMeter | Reduced) or meter.windowed:
                self._asked.append(channel)
            else:
                self._push[name] = partial(self._feed, channel)
                self._noted.add(name)
                if not meter.empty:
                    self._fed[name] = channel

    # ---- add

    def add(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give meters what they measure: `add({'train_loss': 0.7})`.

        A list or tuple is passed on as several arguments, a dict as keyword arguments, a tensor or array whole.
        Tensors may stay on their device and may be changed or freed afterwards.

        Raises UnknownNameError for a name nobody declared (with `strict: false` it warns once), ValueRefusedError
        where a meter cannot take the value.
        """
        if named:
            values = {**(values or {}), **named}
        push = self._push
        try:
            for name, value in values.items():  # type: ignore[union-attr]  # None is told below
                if value.__class__ is float:
                    push[name](value)
                else:
                    self._add_one(name, value)
        except KeyError:
            if name in push:
                raise
            self._add_rest(values, name)  # type: ignore[arg-type]
        except AttributeError:
            if isinstance(values, Mapping):
                raise
            raise ValueRefusedError(f"add: expected a dict of meter names and values, got {values!r}") from None
        self._room -= 1
        if not self._room:
            self._fold()

    __call__ = add
    stat = add

    def _add_one(self, name: str, value: Any) -> None:
        channel = self._channels[name]
        meter = channel.meter
        if name in self._noted:
            self._fed[name] = channel
        elif isinstance(meter, ScalarMeter) and value.__class__ is torch.Tensor and not value.ndim and value.is_cpu:
            number = value.item()  # the loss of nearly every loop; all that follows costs several times as much
            if number.__class__ is float:
                self._push[name](number)
                return
        if isinstance(value, (list, tuple)):
            meter.add(*value)
        elif isinstance(value, dict):
            meter.add(**value)
        else:
            meter.add(value)

    def _feed(self, channel: Channel, value: Any) -> None:
        self._fed[channel.name] = channel
        channel.meter.add(value)

    def _add_rest(self, values: Mapping[str, Any], stranger: str) -> None:
        """Tell about a name nobody declared; where that is allowed, go on behind it."""
        message = unknown("meter", stranger, self._push)
        if self._strict:
            raise UnknownNameError(f"add: {message}") from None
        if stranger not in self._warned:
            self._warned.add(stranger)
            faults.log.warning("flexlogger: add: %s It is ignored (strict is off).", message)
        names = list(values)
        rest = names[names.index(stranger) + 1 :]
        if rest:
            self.add({name: values[name] for name in rest})

    def _fold(self) -> None:
        """Keep buffers bounded where nobody logs; the short ones of a loop that does are left to `log`."""
        self._room = FOLD_EVERY
        for channel in self._channels.values():
            if isinstance(channel.meter, ScalarMeter) and len(channel.meter.buffer) > FOLD_EVERY // 64:
                channel.meter.fold()

    # ---- log

    def log(self, step: Step | None = None, keys: str | Iterable[str] | None = None, reset: bool = True) -> None:
        """Record what the meters have measured, at `step` (default: the counter), and reset them.

        `keys` limits it to some meters, `reset=False` lets them go on measuring. A meter that was given nothing since
        its reset is skipped. Raises ValueRefusedError for a step that is no finite number.
        """
        now = time()
        if step is None:
            step = self._next
        if step.__class__ is int:
            self._next = step + 1
        else:
            step = self._take_step(step)
        if keys is not None or not reset:
            self._log_some(step, now, keys, reset)
            return
        values: dict[str, float] = {}
        several = None
        for name, buffer, meter in self._singles:
            if len(buffer) == 1 and not meter.count:
                values[name] = buffer.pop()
            elif buffer or meter.count:
                several = several or []
                several.append(self._channels[name])
        if self._fed or self._asked:
            filled = [channel for channel in self._asked if not channel.meter.empty]
            several = [*(several or ()), *filled, *self._fed.values()]
            self._fed = {}
        if several:
            self._log_rest(step, now, values, several)
        elif values:
            self._last.update(values)
            if self._readback.pending or len(values) > _WIDE:
                self._send(Record(step, now, values))
            else:
                self._submit(Record(step, now, values))

    def _log_some(self, step: Step, now: float, keys: str | Iterable[str] | None, reset: bool) -> None:
        channels = [
            self._channel(key)
            for key in ([keys] if isinstance(keys, str) else self._channels if keys is None else keys)
        ]
        self._log_rest(step, now, {}, channels, reset)

    def _log_rest(
        self, step: Step, now: float, values: dict[str, float], channels: list[Channel], reset: bool = True
    ) -> None:
        draft = None
        for channel in channels:
            meter = channel.meter
            if meter.empty:
                continue
            for suffix, value in meter.collect().items():
                if value.__class__ is float:
                    values[channel.name + suffix] = value
                else:
                    draft = draft or Draft(values, self._max_media)
                    draft.take(channel.name + suffix, value, channel.labels)
            if reset and not meter.windowed:
                meter.reset()
        if draft is not None:
            self._send_draft(step, now, draft)
        elif values:
            self._last.update(values)
            self._send(Record(step, now, values))

    def _send_draft(self, step: Step, now: float, draft: Draft) -> None:
        for name, size in draft.refused:
            self._refuse(name, size)
        self._last.update(draft.values)
        if draft.scalars or draft.readings:
            self._last.update(draft.scalars)
            self._send_later(step, now, draft)
        elif draft.values or draft.data:
            self._last.update((datum.name, datum.value) for datum in draft.data)
            self._send(Record(step, now, draft.values, tuple(draft.data)))

    def _send(self, record: Record) -> None:
        if not self._readback.pending:
            plain = len(record.values) <= _WIDE and not record.data
            self._submit(record, 0 if plain else weight(record))
        elif not self._readback.push_record(record):
            self._pipe.drop("device too slow")

    def _send_later(self, step: Step, now: float, draft: Draft) -> None:
        if not self._readback.push(step, now, draft.values, draft.data, draft.scalars, draft.readings):
            self._pipe.drop("device too slow")

    def _refuse(self, name: str, size: int) -> None:
        self._refused[name] = self._refused.get(name, 0) + 1
        if self._refused[name] == 1:
            faults.log.warning(
                "flexlogger: %s: expected at most %d bytes (max_media), got %d; it is left out and counted",
                name,
                self._max_media,
                size,
            )

    def _take_step(self, step: Any) -> Step:
        own = checked_step(step)
        self._next = math.floor(own) + 1
        return own

    def step(self) -> int:
        """Advance the step counter by one and return it."""
        self._next += 1
        return self._next

    # ---- looking

    def value(self, name: str) -> Any:
        """The running value of a meter, as the meter gives it. Waits for a device where the meter has values there."""
        return self._channel(name).meter.value()

    def last(self, name: str) -> Any:
        """The last logged value of an output (a meter's name, or `meter.key`); None before the first `log`.

        Waits for a device where the value is still there.
        """
        if name not in self._last and name not in self._channels:
            raise UnknownNameError(f"last: {unknown('meter', name, {*self._channels, *self._last})}")
        value = self._last.get(name)
        return value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value

    def reset(self) -> None:
        """Reset every meter: what was added since the last `log` is forgotten, windowed meters start anew."""
        for channel in self._channels.values():
            channel.meter.reset()

    def _channel(self, name: str) -> Channel:
        try:
            return self._channels[name]
        except KeyError:
            raise UnknownNameError(unknown("meter", name, self._channels)) from None
