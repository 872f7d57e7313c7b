"""Where declarations come from: preset names, files, and `a+b` of both, to bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from flexlogger.errors import UnknownNameError, unknown

PRESETS_VARIABLE = "FLEXLOGGER_PRESETS"
MAX_BYTES = 2**20
"""How long a YAML text may be."""
_SUFFIXES = (".yaml", ".yml")

Folders = Sequence[str | os.PathLike[str]]


class Source(msgspec.Struct, frozen=True):
    """One YAML text: `key` identifies it, `file` names it in messages, its relative paths start from `folder`."""

    key: str
    file: str
    folder: str
    text: bytes


class Unreadable(Exception):
    """A file that is not there, or not a file that can be read."""


def split(expression: str) -> list[str]:
    """Split `a+b` into its parts; a part is a preset's name or the path of a YAML file.

    A whole expression that is an existing file is one part, plus signs or not.

    >>> split("loss + MSE"), split("loss+my/extra.yaml")
    (['loss', 'mse'], ['loss', 'my/extra.yaml'])
    """
    if is_file(expression) and Path(expression).is_file():
        return [expression]
    parts = (part.strip() for part in expression.split("+"))
    return [part if is_file(part) else fold(part) for part in parts if part]


def is_file(part: str) -> bool:
    """Whether a part of an expression is a path: it ends in .yaml or .yml."""
    return part.casefold().endswith(_SUFFIXES)


def fold(name: str) -> str:
    """Names of presets ignore case and spaces."""
    return "".join(name.split()).casefold()


def user_folders() -> list[str]:
    """Return the folders of the user's own presets that FLEXLOGGER_PRESETS names."""
    return [folder for folder in os.environ.get(PRESETS_VARIABLE, "").split(os.pathsep) if folder]


def presets(folders: Folders) -> dict[str, Traversable]:
    """Return the YAML file of every preset by its folded name: the user's folders first, then the package's."""
    return _by_name([*(Path(folder) for folder in folders), files("flexlogger.presets")])


def dashboards() -> dict[str, Traversable]:
    """Return the YAML file of every whole dashboard that comes with the package, by its folded name."""
    return _by_name([files("flexlogger.configs")])


def _by_name(folders: Sequence[Traversable]) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for folder in folders:
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda file: file.name):
                if is_file(file.name):
                    found.setdefault(fold(os.path.splitext(file.name)[0]), file)
    return found


def find(part: str, folder: str, folders: Folders) -> Source:
    """Return the text of one part of an expression; a relative path starts from `folder`.

    Raises UnknownNameError for a name that is no preset's, Unreadable for a file that cannot be read.
    """
    if is_file(part):
        return read(os.path.normpath(os.path.join(folder, part)))
    known = dashboards() | presets(folders)
    if part not in known:
        raise UnknownNameError(unknown("preset", part, known))
    file = known[part]
    if isinstance(file, Path):
        return read(str(file))
    return Source(f"package:{part}", str(file), "", file.read_bytes())  # inside a zip


def read(path: str) -> Source:
    """Return the text of a file. Raises Unreadable; never waits on a pipe or a device."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise Unreadable("expected a YAML file, but this is " + ("a folder" if stat.S_ISDIR(mode) else "no file"))
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreadable(f"cannot read this file: {reason}") from error
    return Source(os.path.realpath(path), path, os.path.dirname(path), text)
