"""What one version of an artifact says of itself: names that are safe to use, entries, and the line it is kept in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import msgspec

from flexlogger.errors import ValueRefusedError
from flexlogger.runs import format as lines

LATEST = "latest"
CONTENT = "blobs"
"""The folder of all content stands beside the artifacts', so no artifact can have its name."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v(0|[1-9][0-9]*)")


class Entry(msgspec.Struct, frozen=True):
    """One file of a version: its `path` within the artifact ('/' between folders), its sha256 and its size in bytes."""

    path: str
    digest: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """One version, complete. `digest` is that of its content alone; `aliases` are those it was logged with.

    `created` is in unix seconds, UTC; `run` is the id of the run that logged it.
    """

    name: str
    type: str
    version: str
    digest: str
    created: float
    entries: tuple[Entry, ...]
    run: str = ""
    aliases: tuple[str, ...] = ()
    description: str | None = None
    metadata: dict[str, Any] = {}
    flexlogger: int = 1


class Head(msgspec.Struct, frozen=True):
    """The part of a manifest that says which version it is; the entries are skipped unread."""

    type: str
    digest: str
    aliases: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(Manifest).decode
_decode_head = msgspec.json.Decoder(Head).decode


def encode(manifest: Manifest) -> bytes:
    """The line of a manifest: one JSON object, closed with its checksum as the lines of a run log are."""
    return lines.seal(lines.encode_json(manifest))


def decode(line: bytes) -> Manifest:
    """Read a manifest back. Raises ValueError where the line is damaged or names a path that leaves the artifact."""
    manifest = _decode(lines.unseal(line.rstrip(b"\n")))
    for entry in manifest.entries:
        if check_path(entry.path) != entry.path:
            raise ValueError(f"entry {entry.path!r} is not in its plain form")
    return manifest


def decode_head(line: bytes) -> Head:
    """Read only what tells a version from others; raises ValueError where the line is damaged."""
    return _decode_head(lines.unseal(line.rstrip(b"\n")))


def digest_of(entries: Iterable[Entry]) -> str:
    """The sha256 that two versions share where they hold the same files under the same names.

    >>> digest_of([Entry("a", "00", 1), Entry("b", "11", 2)]) == digest_of([Entry("b", "11", 2), Entry("a", "00", 1)])
    True
    """
    ordered = sorted((entry.path, entry.digest, entry.size) for entry in entries)
    return hashlib.sha256(lines.encode_json(ordered)).hexdigest()


def number_of(version: str) -> int | None:
    """The number of a version's name, None where it is no such name.

    >>> number_of("v12"), number_of("v01"), number_of("best")
    (12, None, None)
    """
    found = _VERSION.fullmatch(version)
    return int(found[1]) if found else None


def check_name(name: str) -> str:
    """Return an artifact's name; raise ValueRefusedError where it cannot name a folder anywhere."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == CONTENT:
        raise ValueRefusedError(
            "artifact: expected a name of at most 128 letters, digits, '_', '-' and '.', not beginning with '.' and "
            f"other than {CONTENT!r}, but got {name!r}"
        )
    return name


def safe_name(text: str) -> str:
    """The nearest name that an artifact can have, for names made from paths.

    >>> safe_name("run-a b-model 1.pth")
    'run-a_b-model_1.pth'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip(".")[:128] or "_"


def check_alias(alias: str) -> str:
    """Return an alias; raise ValueRefusedError where it cannot be told from a version or name a file."""
    if not isinstance(alias, str) or not _NAME.fullmatch(alias) or number_of(alias) is not None:
        raise ValueRefusedError(
            "artifact: expected an alias of at most 128 letters, digits, '_', '-' and '.', not beginning with '.' and "
            f"not of the form v0, v1 …, but got {alias!r}"
        )
    return alias


def check_path(path: str) -> str:
    """Return a path within an artifact in its plain form; raise ValueRefusedError where it leads out of it.

    >>> check_path("data//train.csv")
    'data/train.csv'
    >>> check_path("../secrets")
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: artifact: expected a relative path without '..' and NUL, but got '../secrets'
    """
    plain = PurePosixPath(path) if isinstance(path, str) else PurePosixPath()
    if plain.is_absolute() or not plain.parts or ".." in plain.parts or "\0" in str(plain):
        raise ValueRefusedError(f"artifact: expected a relative path without '..' and NUL, but got {path!r}")
    try:
        str(plain).encode()
    except UnicodeEncodeError:
        raise ValueRefusedError(f"artifact: expected a file name in UTF-8, but got {path!r}") from None
    return str(plain)
