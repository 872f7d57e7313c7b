"""What plays in a window: data URIs that are nothing else."""

from __future__ import annotations

import re

from flexlogger.errors import ValueRefusedError

_URI = re.compile(r"data:(video|audio)/[\w.+-]+;base64,[A-Za-z0-9+/]+=*")
FILL = "display:block;width:100%;height:100%;object-fit:contain"
"""The style of what is as large as its pane allows, within `inset`."""


def checked(uri: str, kind: str) -> str:
    """Return a data URI of this kind, `video` or `audio`; raise ValueRefusedError for any other text.

    >>> checked("data:audio/wav;base64,UklGRg==", "audio")
    'data:audio/wav;base64,UklGRg=='
    """
    found = _URI.fullmatch(uri)
    if found is None or found[1] != kind:
        raise ValueRefusedError(f"expected the data URI of {kind}, got {uri[:40]!r}")
    return uri


def inset(element: str) -> str:
    """Return an element as large as the pane: the dashboard's own boxes around it are as high as what is in them."""
    return f'<div style="position:absolute;inset:8px 12px">{element}</div>'
