"""The thread, the pace and the patience around a sink."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flexlogger import faults
from flexlogger.alarm import Alarm
from flexlogger.answer import Answer
from flexlogger.errors import SinkError
from flexlogger.records import Item
from flexlogger.sinks.base import Sink
from flexlogger.sinks.handover import Handover, History, Stage

POLL_S = 0.1
"""How often a view that is not due later looks whether there is something to show."""
INTERVAL_S = 0.5
"""A sink is flushed at most this often …"""
SHARE = 4
"""… and a flush that took d seconds is followed by a pause of SHARE times d, so a slow server gets fewer."""
COMPUTED_SHARE = 39
"""What a view computes training may have to wait for: while more comes, the pause is so many times that as well …"""
LATE_S = 10.0
"""… but not for that longer than this, so that the largest dashboards are late by seconds only."""
QUIET_S = (0.2, 1.5)
"""Where nothing has come for twice as long as there was between what came lately, and for so long at least, nobody
logs just now; for the second, at most: who logs less often does not wait for us."""
FADES = 0.9
"""What is left of the longest time between two batches with each that comes sooner: logs come unevenly."""
BACK_OFF_S = (0.5, 15.0)
OTHERS_S = 1.0
"""How often a view looks for what other processes have written."""
AWAY_S = 1.0
"""Closing waits no longer for a server that does not answer: it can be drawn from the log later."""


def nobody_waits() -> float:
    """What a view has computed as far as training minds, where there is none in its process."""
    return 0.0


class View:
    """Runs one sink in a thread of its own, fed with what is already in the run log.

    `tail` reads what other processes wrote into the run: first all of it, then what is new, once a second; `stage`
    is what items go through on their way. A sink whose write or flush fails is tried again after a pause that doubles
    up to `patience` seconds, or as soon as somebody waits for it; `repair` is the hint shown in the one warning.
    """

    def __init__(
        self,
        sink: Sink,
        name: str,
        *,
        tail: History | None = None,
        stage: Stage | None = None,
        repair: str = "",
        interval: float = INTERVAL_S,
        patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        computed: Callable[[], float] = time.thread_time,
    ) -> None:
        self.name = name
        self._sink = sink
        self._handover = Handover(tail, stage)
        self._repair = repair
        self._interval = interval
        self._patience = BACK_OFF_S[1] if patience is None else patience
        self._clock = clock
        self._computed = computed
        self._computed_before = 0.0
        self._lock = threading.Lock()
        self._wake = Alarm()
        self._due = 0.0
        self._spare_until = 0.0  # … where more has come in the meantime
        self._offered_at = 0.0
        self._gap = 0.0
        self._look_at = 0.0
        self._failures = 0
        self._outages = 0
        self._away_since = 0.0
        self._away_s = 0.0
        self._last_error = ""
        self._flushes = 0
        self._taking: Iterator[Sequence[Item]] | None = None
        self._refused: Sequence[Item] | None = None
        self._asked: list[Answer] = []
        self._hurry = False
        self._stopping = False
        self._over = False
        self._complete: bool | None = None
        self._thread = threading.Thread(target=self._run, name=f"flexlogger-{name}", daemon=True)
        self._thread.start()

    # ---- called by others

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Hand over a batch that now ends at byte `end` of the log at `path` (None: there is no log)."""
        self._handover.offer(batch, path, end)
        now = self._clock()
        gap, self._offered_at = now - self._offered_at, now
        if gap < QUIET_S[1]:
            self._gap = max(gap, FADES * self._gap)
        if self._handover.crowded and self._refused is None:
            self._wake.ring()

    def catch_up(self, path: Path, end: int) -> None:
        """Begin with what the log at `path` holds up to byte `end`. Called before the first `offer`."""
        self._handover.catch_up(path, end)

    def ask(self) -> Answer:
        """Ask for all that was offered to be shown now; what is returned tells when it is. Earns one try at once."""
        answer = Answer()
        with self._lock:
            if self._over:
                answer.give_up()
            self._asked.append(answer)
            self._hurry = True
        self._wake.ring()
        return answer

    def flush(self, timeout: float) -> bool:
        """Wait until the sink shows everything offered so far."""
        return self.ask().wait(timeout)

    def close(self, timeout: float) -> bool:
        """Show what is left, for at most `timeout` seconds (`AWAY_S` where the server is away), and stop."""
        if self._complete is not None:
            return self._complete
        deadline = time.monotonic() + timeout
        asked = self.ask()
        shown = asked.wait(min(timeout, AWAY_S))
        if not shown and self._failures == 0:
            shown = asked.wait(max(0.0, deadline - time.monotonic()))
        self._complete = shown
        self._stopping = True
        self._wake.ring()
        if shown and not self.runs_in(threading.current_thread()):
            self._thread.join(max(0.1, deadline - time.monotonic()))
        return shown

    def stop(self) -> None:
        """Stop without showing what is left: somebody else draws it. Never waits."""
        self._stopping = True
        self._wake.ring()

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is this view's own."""
        return thread is self._thread

    def status(self) -> dict[str, Any]:
        """Health: ok, consecutive failures, the last error, how often and for how many seconds in all (until the try
        that succeeded) it was away, flushes done, items never shown, lines found damaged, values that the sink has no
        place for; and what it knows of the first values that were not finite."""
        away = self._failures > 0
        return {
            "ok": not away,
            "failures": self._failures,
            "outages": self._outages,
            "away_s": round(self._away_s + (self._clock() - self._away_since if away else 0.0), 1),
            "error": self._last_error,
            "flushes": self._flushes,
            "unseen": self._handover.unseen,
            "damaged": self._handover.damaged,
            "behind": self._handover.behind,
            "left_out": dict(getattr(self._sink, "left_out", {})),
            "nonfinite": dict(getattr(self._sink, "nonfinite", {})),
        }

    # ---- the thread

    def _run(self) -> None:
        while not self._stopping:
            self._wake.sleep(max(POLL_S, self._due - self._clock()))
            try:
                self._step()
            except Exception as error:
                faults.swallow(f"the {self.name} view", error)
        with self._lock:
            self._over = True
            for answer in self._asked:
                answer.give_up()
        try:
            self._sink.close()
        except Exception as error:
            faults.swallow(f"closing the {self.name} view", error)

    def _step(self) -> None:
        with self._lock:
            asked = list(self._asked)
            hurry, self._hurry = self._hurry, False
        waits = not hurry and self._rests(self._clock())
        if waits and (self._refused is not None or not self._handover.crowded):
            return  # what comes meanwhile is taken in with it: the fewer pieces, the less each costs
        look = hurry or self._clock() >= self._look_at
        if look:
            self._look_at = self._clock() + OTHERS_S
        try:
            self._write(look)
        except SinkError as error:
            self._failed(error)
            return
        if not (self._stopping or waits) and self._flush():
            for event in asked:
                event.set()
            with self._lock:
                self._asked = [event for event in self._asked if not event.is_set()]

    def _rests(self, now: float) -> bool:
        """Whether it is too early for another flush; it is not for long where nothing comes that one could wait for."""
        least, most = QUIET_S
        quiet = min(max(least, 2 * self._gap), most)
        return now < self._due or (now < self._spare_until and now - self._offered_at < quiet)

    def _write(self, look: bool) -> None:
        """Hand all that waits to the sink, first of all what it refused and what was to follow that."""
        if self._refused is not None:
            self._write_refused()
        if self._taking is not None:
            self._write_from(self._taking)
        self._taking = self._handover.take(others=look)
        self._write_from(self._taking)
        self._taking = None

    def _write_from(self, batches: Iterator[Sequence[Item]]) -> None:
        for self._refused in batches:
            self._write_refused()

    def _write_refused(self) -> None:
        assert self._refused is not None
        batch, self._refused = self._refused, None
        try:
            self._sink.write(batch)
        except SinkError:
            self._refused = batch
            raise

    def _flush(self) -> bool:
        started = self._clock()
        try:
            self._sink.flush()
        except SinkError as error:
            self._failed(error)
            return False
        except Exception as error:
            faults.swallow(f"the {self.name} view", error)
            self._failed(SinkError(f"the {self.name} view failed ({type(error).__name__})"))
            return False
        if self._failures:
            faults.log.warning("flexlogger: %s is back; what it missed is shown now", self.name)
            self._away_s += self._clock() - self._away_since
        self._failures = 0
        self._last_error = ""
        self._flushes += 1
        now = self._clock()
        self._due = now + max(self._interval, SHARE * (now - started))
        self._spare_until = max(self._spare_until, now + min(LATE_S, COMPUTED_SHARE * self._spent()))
        return True

    def _spent(self) -> float:
        """Seconds that this thread has computed since the last flush."""
        before, self._computed_before = self._computed_before, self._computed()
        return self._computed_before - before

    def _failed(self, error: SinkError) -> None:
        if not self._failures:
            self._outages += 1
            self._away_since = self._clock()
        self._failures += 1
        self._last_error = str(error)
        pause = min(BACK_OFF_S[0] * 2 ** min(self._failures - 1, 10), self._patience)
        self._due = self._clock() + pause * random.uniform(0.8, 1.2)
        if self._failures == 1:
            faults.log.warning("flexlogger: %s; training goes on and nothing is lost. %s", error, self._repair)
