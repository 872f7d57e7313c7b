"""Files of video, sound and drawings, read when they are added."""

from __future__ import annotations

import base64
from pathlib import Path, PurePath
from typing import Any

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.records import Kind

TYPES: dict[str, tuple[Kind, str]] = {
    ".mp4": ("video", "video/mp4"),
    ".webm": ("video", "video/webm"),
    ".ogv": ("video", "video/ogg"),
    ".wav": ("audio", "audio/wav"),
    ".mp3": ("audio", "audio/mpeg"),
    ".ogg": ("audio", "audio/ogg"),
    ".flac": ("audio", "audio/flac"),
    ".svg": ("text", "image/svg+xml"),
}
"""What browsers play or show: by suffix the kind that it is logged as, and its media type."""


def file(value: Any, kind: Kind) -> Payload | None:
    """Return what a file holds as it travels, or None if the value names none.

    A file is a `pathlib.Path`; where `kind` is video or audio, a path as text too. Raises ValueRefusedError for a file
    that cannot be read, is of another kind, or of a suffix that is not in TYPES.
    """
    if isinstance(value, str) and kind in ("video", "audio"):
        if value.startswith(f"data:{kind}/"):
            return Payload(kind, value)
        value = Path(value)
    if not isinstance(value, PurePath):
        return None
    found, media = TYPES.get(value.suffix.lower(), ("any", ""))
    if not media or kind not in ("any", found):
        of_kind = [suffix for suffix, (of, _) in TYPES.items() if kind in ("any", of)]
        expected = f"a file of {', '.join(of_kind)}" if of_kind else f"a value of kind {kind}"
        raise ValueRefusedError(f"Expected {expected}, but got {value.name!r}")
    try:
        content = Path(value).read_bytes()
    except OSError as error:
        raise ValueRefusedError(f"Expected a file that can be read, but got {value} ({error.strerror})") from error
    if found == "text":
        return Payload("text", content.decode(errors="replace"))
    return Payload(found, f"data:{media};base64,{base64.b64encode(content).decode()}")
