"""The run log's line format: one JSON object a line, guarded by a checksum, readable by anything.

A segment (one file, one writing process) starts with a header line and goes on with numbered lines:

    {"flexlogger":1,"run":"…","segment":"…","host":"…","pid":7,"rank":0,"start":1763659872.1,"c":"0d3f9a17"}
    {"q":0,"t":1763659872.11,"def":{"plots":[…],"meters":[…],"layout":{…}},"c":"…"}
    {"q":1,"s":120,"t":1763659872.12,"v":{"train_loss":0.69,"gn":"NaN"},"c":"9f3a01bc"}
    {"q":2,"s":120,"t":1763659872.12,"d":{"name":"cm","kind":"matrix","shape":[2,2],"dtype":"<f8","data":"…"},"c":"…"}
    {"q":3,"t":1763659880.0,"ev":{"kind":"nonfinite","info":{"name":"gn"},"step":120},"c":"…"}
    {"q":4,"t":1763659881.0,"end":"finished","c":"…"}

`c` is the CRC-32 (zlib's, 8 hex digits) of every byte of the line before `,"c":`. It is always the last key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from flexlogger.records import Definition, End, Event, Layout, MeterDef, PlotDef, Record, Scalars, Step, is_finite

VERSION = 1
_TAIL = len(',"c":"00000000"}')

encode_json = msgspec.json.Encoder().encode


class DatumEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A `Datum` as a line holds it: `data` (base64) inline where small, else `digest` names a blob beside the log."""

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    data: str = ""
    digest: str = ""
    captions: tuple[str, ...] = ()


class Resume(msgspec.Struct, frozen=True):
    """A run was taken up again at `step`: what was recorded before `time` at this step or a later one is hidden."""

    step: Step
    time: float


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """First line of a segment. `env` and `uid` say which windows it was drawn in."""

    flexlogger: int
    run: str
    segment: str
    host: str
    pid: int
    rank: int
    start: float
    project: str = ""
    env: str = ""
    uid: str = ""
    resume: Resume | None = None


class _DefinitionBody(msgspec.Struct, frozen=True):
    plots: tuple[PlotDef, ...]
    meters: tuple[MeterDef, ...]
    layout: Layout = Layout()


class _EventBody(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: str
    info: dict[str, Any]
    step: Step | None = None


class _ValueLine(msgspec.Struct, gc=False):
    q: int
    s: Step
    t: float
    v: Any
    """A mapping, or what is encoded like one."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Any line after the header; one of v, d, def, ev, end is set. JSON holds no cycles (gc=False)."""

    q: int
    t: float
    s: Step = 0
    v: dict[str, float | str] | None = None
    d: DatumEntry | None = None
    definition: _DefinitionBody | None = msgspec.field(default=None, name="def")
    ev: _EventBody | None = None
    end: str | None = None


_decode_line = msgspec.json.Decoder(Line).decode
_decode_lines = msgspec.json.Decoder(Line).decode_lines
_decode_header = msgspec.json.Decoder(Header).decode


class DamagedLineError(ValueError):
    """A line that is torn, fails its checksum or is no line of this format."""


def seal(body: bytes) -> bytes:
    """Close a JSON object with its checksum and a newline."""
    head = body[:-1]
    return b'%b,"c":"%08x"}\n' % (head, crc32(head))


def unseal(line: bytes) -> bytes:
    """Return a sealed line (without its newline) as a JSON object; raise `DamagedLineError` where it is not whole."""
    head, tail = line[:-_TAIL], line[-_TAIL:]
    if tail[:6] != b',"c":"' or tail[6:] != b'%08x"}' % crc32(head):
        raise DamagedLineError("checksum does not match")
    return head + b"}"


def encode_values(q: int, record: Record) -> bytes:
    """The line of a record's scalars. JSON knows no NaN: non-finite values become strings."""
    values = _encodable(record)
    if not is_finite(record):
        values = {name: jsonable(value) for name, value in record.values.items()}
    return seal(encode_json(_ValueLine(q, record.step, record.time, values)))


def encode_records(q: int, records: Sequence[Record]) -> bytes | None:
    """The lines of records of finite scalars, numbered from `q`, at once; None where something else is among them.

    >>> encode_records(0, [Record(0, 1.0, {"a": float("nan")})]) is None
    True
    """
    try:
        bodies = [
            _ValueLine(n, r.step, r.time, r.values if type(r.values) is dict else _encodable(r))  # a call each shows
            for n, r in enumerate(records, q)
        ]
        heads = [encoded[:-1] for encoded in map(encode_json, bodies)]
    except Exception:
        return None  # one by one it turns out which
    parts = [b"", b',"c":"', b"", b'"}\n'] * len(heads)  # as `seal` does, with all checksums made text in one call
    parts[::4] = heads
    parts[2::4] = np.fromiter(map(crc32, heads), ">u4").tobytes().hex(" ", 4).encode().split()
    sealed = b"".join(parts)
    return None if b"null" in sealed else sealed


def _encodable(record: Record) -> Any:
    """The scalars as an encoder takes them. Many of them become a struct, which takes half as long as a dict."""
    values = record.values
    if type(values) is not Scalars:
        return values
    struct = _struct_of(values.names)
    return values.as_dict() if struct is None else struct(*values.array.tolist())


@lru_cache(maxsize=8)
def _struct_of(names: tuple[str, ...]) -> Callable[..., msgspec.Struct] | None:
    """A class whose objects are encoded as these names with what they are made from; None where there can be none."""
    fields = [f"f{at}" for at in range(len(names))]
    try:
        return msgspec.defstruct("Scalars", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
    except ValueError:  # a name with a quote in it
        return None


def encode_datum(q: int, record: Record, entry: DatumEntry) -> bytes:
    """The line of one value that is not a scalar."""
    return seal(encode_json({"q": q, "s": record.step, "t": record.time, "d": entry}))


def encode_item(q: int, item: Definition | Event | End) -> bytes:
    """The line of anything that is not a record."""
    body: dict[str, Any] = {"q": q, "t": item.time}
    if isinstance(item, Definition):
        body["def"] = _DefinitionBody(item.plots, item.meters, item.layout)
    elif isinstance(item, Event):
        body["ev"] = _EventBody(item.kind, plain(item.info), item.step)
    else:
        body["end"] = item.status
    return seal(encode_json(body))


def jsonable(value: float) -> float | str:
    """A number as a line holds it.

    >>> jsonable(0.5), jsonable(float("nan")), jsonable(float("-inf"))
    (0.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def utf8(text: object) -> str:
    """Return text that UTF-8 can say: a lone surrogate becomes a question mark."""
    return str(text).encode(errors="replace").decode()


def plain(value: Any) -> Any:
    """Map non-finite floats anywhere in plain data to their strings (encoders would write null), and text that UTF-8
    cannot say (a file's name that is none) to text that it can."""
    if isinstance(value, float):
        return jsonable(value)
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, Mapping):
        return {utf8(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


def decode_line(line: bytes) -> Line:
    """Check and parse one line after the header; raise `DamagedLineError`."""
    try:
        return _decode_line(unseal(line))
    except msgspec.MsgspecError as error:
        raise DamagedLineError(str(error)) from error


def decode_lines(chunk: bytes) -> list[Line] | None:
    """Check and parse many lines at once, each with its newline, twice as fast; None where any of them is damaged."""
    if not all(line[-_TAIL:] == b',"c":"%08x"}' % crc32(line[:-_TAIL]) for line in chunk.split(b"\n")[:-1]):
        return None
    try:
        return _decode_lines(chunk)
    except msgspec.MsgspecError:
        return None


def decode_header(line: bytes) -> Header:
    """Check and parse a segment's first line; raise `DamagedLineError`."""
    try:
        return _decode_header(unseal(line))
    except msgspec.MsgspecError as error:
        raise DamagedLineError(str(error)) from error


def values_of(line: Line) -> dict[str, float]:
    """The scalars of a line as floats (`float` reads the strings for non-finite values)."""
    return {name: float(value) for name, value in (line.v or {}).items()}
