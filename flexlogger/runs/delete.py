"""Removing a run: at once for everybody who lists runs, then file by file."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from flexlogger.errors import RunLogError


def delete_run(folder: Path) -> None:
    """Remove the run in `folder` with all its files.

    It is renamed first, to a name that is no run's, so that one that is half deleted is never listed or opened.
    Raises RunLogError; it says what is left where.
    """
    away = folder.with_name(f".deleted-{folder.name}-{secrets.token_hex(4)}")
    try:
        os.rename(folder, away)
    except OSError as error:
        raise RunLogError(f"{folder}: cannot be deleted ({error.strerror or error}); nothing was changed") from error
    try:
        shutil.rmtree(away)
    except OSError as error:
        problem = error.strerror or error
        raise RunLogError(f"{folder}: deleted, but not all its files ({problem}); remove {away} by hand") from error


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below `folder`."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
