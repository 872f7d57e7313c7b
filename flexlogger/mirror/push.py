"""What a trainer left behind, sent once to a receiver of run logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flexlogger.errors import RunLogError, ServerError
from flexlogger.mirror.sender import Sender
from flexlogger.net.keys import ClientKeys
from flexlogger.runs.find import FoundRun, find_run, find_runs, open_found

PATIENCE_S = 30.0
"""A receiver that is away for so long is given up."""
CONNECT_S = 10.0
_LOOK_S = 0.1


def runs_at(spec: str, base: Path) -> list[FoundRun]:
    """The runs that are meant: those in a folder of projects or of runs, or the one that `spec` names below `base`.

    Raises RunLogError where there is none.
    """
    path, now = Path(spec), time.time()
    if not path.is_dir() or open_found(path.resolve(), now) is not None:
        return [find_run(spec, base)]
    path = path.resolve()
    runs = [
        run for folder in sorted(path.iterdir()) if folder.is_dir() and (run := open_found(folder, now)) is not None
    ]
    runs = runs or find_runs(path)
    if not runs:
        raise RunLogError(
            f"{path}: there are no runs here; expected a run's folder, or one that holds runs or projects"
        )
    return runs


def push(run: FoundRun, where: str, keys: ClientKeys | None, advance: Callable[[int], None]) -> int:
    """Send what the receiver at `where` lacks of a run; return the bytes that went. What is there already stays there.

    `advance` is told how many more bytes of the log are there. Raises ServerError where nobody takes it.
    """
    sender = Sender(run.folder, run.project, run.id, where, keys, tell=lambda message: None)  # an error says it
    try:
        _wait(sender, where, lambda: sender.connected, CONNECT_S, lambda: None)
        left = sender.behind
        done = sender.ask()

        def look() -> None:
            nonlocal left
            behind = sender.behind
            advance(left - behind)
            left = behind

        _wait(sender, where, done.is_set, PATIENCE_S, look)
    finally:
        sender.stop()
        sender.join()
    return sender.stored


def _wait(sender: Sender, where: str, done: Callable[[], bool], patience: float, look: Callable[[], None]) -> None:
    """Wait for as long as something moves; raise ServerError where it does not."""
    moved, stored = time.monotonic(), sender.stored
    while not done():
        if sender.refusal:
            raise ServerError(f"{where} does not take the run log: {sender.refusal}")
        if sender.stored != stored:
            moved, stored = time.monotonic(), sender.stored
        if time.monotonic() - moved > patience:
            why = f" ({sender.problem})" if sender.problem else ""
            raise ServerError(
                f"nobody takes run logs at {where}{why}; start there: flexlogger monitor --listen {where}"
            )
        look()
        time.sleep(_LOOK_S)
    look()
