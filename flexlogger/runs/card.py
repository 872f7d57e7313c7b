"""A run's card: `run.json`, what the run is and how it is doing. A view of its log, in one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from flexlogger.records import Step
from flexlogger.runs.claims import STALE_S
from flexlogger.runs.files import write_whole
from flexlogger.runs.format import plain
from flexlogger.runs.processes import Process, is_gone

FILE = "run.json"

Status = Literal["running", "finished", "crashed"]


class Card(msgspec.Struct):
    """What `run.json` holds. Times are unix seconds; non-finite numbers are strings as in the log."""

    flexlogger: int = 1
    id: str = ""
    project: str = ""
    name: str = ""
    tags: list[str] = []
    notes: str = ""
    status: str = "running"
    start: float = 0.0
    beat: float = 0.0
    """When it was last known to be alive; at least every 2 s while it runs."""
    end: float | None = None
    last_step: Step | None = None
    """The largest step so far."""
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    metrics: list[dict[str, Any]] = []
    """The rules of `define_metric`, in the order in which they were given."""
    nonfinite: dict[str, dict[str, Any]] = {}
    """The first non-finite value of each name: {"value": "NaN", "step": 120}."""
    dropped: dict[str, int] = {}
    """Records that never reached the log, by reason."""
    artifacts: list[dict[str, Any]] = []
    """What was logged and used: name, type, version, digest, use, aliases."""
    resumed: int = 0
    """How often the run was taken up again."""
    env: str = ""
    uid: str = ""
    url: str = ""
    host: str = ""
    boot: str = ""
    pid: int = 0
    pid_start: str = ""
    rank: int = 0
    world: int = 1
    git: dict[str, Any] | None = None
    """commit, branch, dirty; None outside a repository."""
    python: str = ""
    platform: str = ""
    libraries: dict[str, str] = {}
    command: list[str] = []
    """The command line; what looks like a secret is hidden."""


_decode = msgspec.json.Decoder(Card).decode


def read_card(folder: Path) -> Card | None:
    """The card of the run in `folder`; None where it is missing or cannot be read.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> read_card(folder)
    >>> write_card(folder, Card(id="a", config={"lr": 0.1}))
    >>> read_card(folder).config
    {'lr': 0.1}
    """
    try:
        return _decode((folder / FILE).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_card(folder: Path, card: Card) -> None:
    """Put the card into a run's folder: the old one or the new one is there at any time, whole. Raises OSError."""
    content = msgspec.json.format(msgspec.json.encode(plain(msgspec.to_builtins(card))), indent=2)
    write_whole(folder / FILE, content + b"\n")


def status_of(card: Card, now: float) -> Status:
    """How the run is doing: a card that says running and has not beaten for 10 s, or whose process is gone, crashed.

    >>> card = Card(beat=100.0)
    >>> status_of(card, 109.0), status_of(card, 111.0)
    ('running', 'crashed')
    """
    if card.status != "running":
        return "finished" if card.status == "finished" else "crashed"
    dead = card.pid and is_gone(Process(card.host, card.boot, card.pid, card.pid_start))
    return "crashed" if dead or now - card.beat > STALE_S else "running"
