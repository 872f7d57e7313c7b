"""Dashboards on another machine: the run's folder is kept equal there, and drawn by its `flexlogger monitor`."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexlogger.answer import Answer
from flexlogger.mirror.sender import Sender
from flexlogger.net.keys import ClientKeys
from flexlogger.records import Item

AWAY_S = 1.0
"""Closing waits no longer for a monitor, or for its dashboard, that does not answer: the log can be sent later."""


class TcpView:
    """A monitor at `where`, as the trainer's pipe knows it. Nothing is queued: what it lacks is read from the folder.

    `keys` is the client's key file, which `later` (the command that sends what is left) names.
    """

    def __init__(
        self, folder: Path, project: str, run: str, where: str, keys: ClientKeys | None, key_file: str | None = None
    ) -> None:
        self.name = "tcp"
        key_words = f" --keys {shlex.quote(key_file)}" if key_file else ""
        self._later = f"flexlogger runs push {shlex.quote(str(folder))} --to {where}{key_words}"
        self._complete: bool | None = None
        self._sender = Sender(folder, project, run, where, keys)

    def offer(self, batch: Sequence[Item], path: Path | None, end: int) -> None:
        """Something is in the log that the monitor lacks."""
        self._sender.wake()

    def catch_up(self, path: Path, end: int) -> None:
        """All there is in the folder is sent anyway."""
        self._sender.wake()

    def ask(self) -> Answer:
        """Ask for all that is in the log to be shown there now; what is returned tells when it is."""
        return self._sender.ask(shown=True)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was offered so far is shown."""
        return self.ask().wait(timeout)

    def stop(self) -> None:
        """Send no more; what is left stays in the folder. Never waits."""
        self._sender.stop()

    def close(self, timeout: float) -> bool:
        """Send what is left and have it shown, for at most `timeout` seconds (`AWAY_S` where nobody answers), and stop.

        The card is written last, by another view, so what is in the folder now is asked for.
        """
        if self._complete is not None:
            return self._complete
        deadline = time.monotonic() + timeout
        asked = self.ask()
        shown = asked.wait(min(timeout, AWAY_S))
        while not asked.is_set() and self._answers() and (left := deadline - time.monotonic()) > 0:
            shown = asked.wait(min(left, AWAY_S))
        self._complete = shown
        self._sender.stop()
        if not self.runs_in(threading.current_thread()):
            self._sender.join(max(0.5, deadline - time.monotonic()))
        return shown

    def _answers(self) -> bool:
        """True as far as is known; that a dashboard is away is told within a second."""
        return self._sender.connected and not (self._sender.refusal or self._sender.unshown)

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is the sender's own."""
        return self._sender.runs_in(thread)

    def status(self) -> dict[str, Any]:
        """Health as of any view: `behind` counts bytes of the log that are not there yet. `later` is the command that
        sends what is left once the trainer is gone."""
        sender = self._sender
        error = sender.refusal or sender.unshown or ("" if sender.connected else "nobody answers")
        return {
            "ok": not error,
            "failures": int(bool(error)),
            "outages": sender.outages,
            "away_s": round(sender.away_s, 1) if sender.outages else 0.0,
            "error": error,
            "flushes": 0,
            "unseen": 0,
            "damaged": 0,
            "behind": sender.behind,
            "url": sender.url,
            "later": self._later,
        }
