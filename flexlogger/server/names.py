"""Which names an environment may have. Needs nothing but the standard library: configs are checked with it too."""

from __future__ import annotations

import re

MAX_BYTES = 200
"""Longest name in UTF-8, so that the file it becomes stays within what file systems take."""

_SAFE = re.compile(r"\w[\w .@+=,:~()\[\]-]*")

RULE = (
    "an environment's name starts with a letter, digit or _, goes on with those, spaces or . @ + = , : ~ ( ) [ ] -, "
    f"does not hold '.json' and is at most {MAX_BYTES} bytes long"
)


def canonical(name: str) -> str:
    """Return `name` as the server keeps it: ``/`` becomes ``_``, as in visdom's own client.

    >>> canonical("mnist/lr=0.1")
    'mnist_lr=0.1'
    """
    return name.replace("/", "_")


def refusal(name: object) -> str | None:
    """Say why the server would refuse an environment of this name, or None where it is fine.

    A name becomes a file and a string in a page's script, so quotes, backslashes, line breaks, markup and a leading
    dot are out.

    >>> refusal("digits 2024-05-01 10:30")
    >>> refusal("../secret")
    "env name '../secret' is refused: ..."
    """
    if isinstance(name, str):
        kept = canonical(name)
        if _SAFE.fullmatch(kept) and ".json" not in kept and len(kept.encode()) <= MAX_BYTES:
            return None
    return f"env name {_shown(name)} is refused: {RULE}"


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 80 else text[:77] + "..."
