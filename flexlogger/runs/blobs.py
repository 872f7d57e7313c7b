"""Values that are not scalars: small ones inside the log line, large ones as files named by their content."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from flexlogger.records import Datum
from flexlogger.runs.files import write_whole
from flexlogger.runs.format import DatumEntry

INLINE_BYTES = 4096
"""Up to this size a value stands in its line: a 10 x 10 confusion matrix every epoch needs no file of its own."""

_PICTURES = ("image", "images")
_DIGEST = re.compile("[0-9a-f]{64}")


class BlobStore:
    """Content-addressed files under `folder`: equal content is stored once, a file is either whole or absent.

    With `sync` a file is on its disk, and would survive a crash of the machine, when `put` returns.
    """

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        self.folder = folder
        self._sync = sync

    def put(self, datum: Datum) -> DatumEntry:
        """Store a value and return its entry for the log line. Raises OSError where the disk refuses."""
        raw, shape, dtype = _encode(datum)
        if len(raw) <= INLINE_BYTES:
            inline = base64.b64encode(raw).decode()
            return DatumEntry(datum.name, datum.kind, shape, dtype, data=inline, captions=datum.captions)
        digest = hashlib.sha256(raw).hexdigest()
        path = self.path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, raw, sync=self._sync)
        return DatumEntry(datum.name, datum.kind, shape, dtype, digest=digest, captions=datum.captions)

    def get(self, entry: DatumEntry) -> Datum:
        """Read a value back. Raises OSError where its file is gone, ValueError where the content is not what it was."""
        raw = base64.b64decode(entry.data) if not entry.digest else self._read(entry.digest)
        return Datum(entry.name, entry.kind, _decode(raw, entry), entry.captions)  # type: ignore[arg-type]  # a str from JSON

    def path(self, digest: str) -> Path:
        """Where the content with this digest lies."""
        return self.folder / digest[:2] / digest

    def _read(self, digest: str) -> bytes:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no digest")  # and might be a path to anywhere
        raw = self.path(digest).read_bytes()
        if hashlib.sha256(raw).hexdigest() != digest:
            raise ValueError(f"{self.path(digest)}: content does not match its digest")
        return raw


def _encode(datum: Datum) -> tuple[bytes, tuple[int, ...], str]:
    if isinstance(datum.value, str):
        return datum.value.encode(errors="replace"), (), "text"  # a lone surrogate is no reason to lose it
    array = datum.value
    if datum.kind in _PICTURES and array.size:
        return _to_png(array), array.shape, "png"
    array = np.ascontiguousarray(array)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return little.tobytes(), array.shape, little.dtype.str


def _decode(raw: bytes, entry: DatumEntry) -> np.ndarray[Any, Any] | str:
    if entry.dtype == "text":
        return raw.decode()
    array = _from_png(raw) if entry.dtype == "png" else np.frombuffer(raw, dtype=np.dtype(entry.dtype))
    array = array.reshape(entry.shape)
    array.flags.writeable = False
    return array


def _to_png(array: np.ndarray[Any, Any]) -> bytes:
    """A stack of images is stored as one tall image; the shape in the entry cuts it again."""
    from PIL import Image  # heavy; only runs that log images need it

    tall = array.reshape(-1, *array.shape[-2:]) if array.ndim == 4 else array
    if array.ndim == 3 and array.shape[-1] not in (3, 4):
        tall = array.reshape(-1, array.shape[-1])
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tall)).save(out, format="PNG", compress_level=1)
    return out.getvalue()


def _from_png(raw: bytes) -> np.ndarray[Any, Any]:
    from PIL import Image

    with Image.open(io.BytesIO(raw)) as image:
        return np.array(image)
