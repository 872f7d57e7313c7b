"""Which windows a run that is followed has beside those that it asked for: it keeps them when it is taken up again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from flexlogger.runs.files import write_whole

FILE = "windows.json"


class _Beside(msgspec.Struct, frozen=True):
    env: str
    wanted: str
    uid: str


def remember(folder: Path, env: str, wanted: str, uid: str) -> None:
    """The run in `folder` asked for the windows of `wanted`, and has those of `uid`. A disk that refuses is told of
    where the run itself cannot be kept."""
    with suppress(OSError):
        write_whole(folder / FILE, msgspec.json.encode(_Beside(env, wanted, uid)))


def remembered(folder: Path, env: str, wanted: str) -> str | None:
    """Return the uid under which it was drawn beside those; None where it was not.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> remember(folder, "mnist", "mnist", "mnist-2")
    >>> remembered(folder, "mnist", "mnist"), remembered(folder, "cifar", "cifar")
    ('mnist-2', None)
    """
    try:
        known = msgspec.json.decode((folder / FILE).read_bytes(), type=_Beside)
    except (OSError, msgspec.MsgspecError):
        return None
    return known.uid if (known.env, known.wanted) == (env, wanted) else None
