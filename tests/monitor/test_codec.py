"""States as bytes and back: what goes in comes out, what cannot is named, what is damaged is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flexlogger.errors import WireError
from flexlogger.monitor.codec import MAX_DEPTH, decode, encode


def through(value: Any) -> Any:
    return decode([bytes(frame) for frame in encode(value)])


ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1, "b": 0.5, "c": "x", "d": None, "e": True, "f": b"\x00\xff"},
        {"nested": {"deeper": [1, [2.5, {"x": None}]], 3: "int key", 0.5: "float key", None: "none", False: "bool"}},
        {"wide": [2**64, -(2**63) - 1, 10**300, 2**64 - 1, -(2**63)]},
        {"times": [dt.datetime(2026, 1, 2, 3, 4, 5, 678), dt.datetime(2026, 1, 2, tzinfo=ZONE)]},
        {"date": dt.date(2026, 1, 2), "span": dt.timedelta(days=-1, microseconds=7)},
        {"z": 1 + 2j, "empty": [], "text": "naïve 图\u0000"},
        [1, 2, 3],
        "just text",
    ],
)
def test_plain_data_comes_back_equal(value: Any) -> None:
    assert through(value) == value


def test_time_zones_and_special_floats_survive() -> None:
    back = through({"t": dt.datetime(2026, 1, 2, tzinfo=ZONE), "v": [math.inf, -math.inf, -0.0, 5e-324]})
    assert back["t"].utcoffset() == dt.timedelta(hours=5, minutes=30)
    assert back["v"][:2] == [math.inf, -math.inf]
    assert math.copysign(1, back["v"][2]) == -1
    assert back["v"][3] == 5e-324
    assert math.isnan(through({"v": math.nan})["v"])


def test_what_is_made_plain() -> None:
    back = through(
        {"tuple": (1, 2), "f32": np.float32(0.5), "i8": np.int8(-3), "flag": np.bool_(True), np.int64(4): "k"}
    )
    assert back == {"tuple": [1, 2], "f32": 0.5, "i8": -3, "flag": True, 4: "k"}
    assert [type(item) for item in back.values()] == [list, float, int, bool, str]


class Mode(str, enum.Enum):  # noqa: UP042 - the str() of a StrEnum is its text already
    TRAIN = "train"


def test_enumerations_of_text_and_numbers_are_their_values() -> None:
    Level = enum.IntEnum("Level", {"HIGH": 3})
    assert through({"mode": Mode.TRAIN, Mode.TRAIN: Level.HIGH, Level.HIGH: 1}) == {"mode": "train", "train": 3, 3: 1}


RECORDS = np.array([(1, 2.5, 7)], dtype=[("a", "<i2"), ("b", "<f8"), ("c", "<i4")])
ARRAYS = {
    "float16": np.arange(6, dtype=np.float16).reshape(2, 3),
    "big-endian": np.arange(6, dtype=">i4"),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(20)[::-3],
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 3), np.int8),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j], np.complex64),
    "text": np.array(["a", "longer"]),
    "bytes": np.array([b"a", b"xyz"]),
    "datetime": np.array(["2026-01-02", "NaT"], "M8[s]"),
    "timedelta": np.array([5], "m8[ms]"),
    "structured": np.array([(1, 2.5)], dtype=[("a", "<i2"), ("b", ">f8", (1,))]),
    "nested": np.zeros(2, dtype=[("p", [("x", "<f4"), ("y", "<f4")]), ("id", "S3")]),
    "longdouble": np.array([1.5], np.longdouble),
    "aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "<f8")], align=True)),
    "no bytes": np.zeros(3, "V0"),
    "no fields": np.zeros((2, 2), []),
    "recarray": RECORDS.view(np.recarray),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_any_type_and_layout(name: str) -> None:
    array = ARRAYS[name]
    back = through({"a": [array]})["a"][0]
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("<")
    assert back.tobytes() == array.astype(array.dtype.newbyteorder("<"), order="C").tobytes()
    assert not back.flags.writeable


def test_fields_in_another_order_or_that_overlap() -> None:
    union = np.zeros(2, np.dtype({"names": ["whole", "low"], "formats": ["<i4", "<i2"], "offsets": [0, 0]}))
    union["whole"] = [70000, 3]
    back = through({"swapped": RECORDS[["c", "a"]], "union": union, "inside": np.zeros(1, [("x", union.dtype)])})
    assert back["swapped"].dtype.names == ("c", "a")
    assert back["swapped"].tolist() == [(7, 1)]
    assert back["union"].tolist() == [(70000, 70000 - 65536), (3, 3)]
    assert back["inside"].tolist() == [((0, 0),)]


def test_numpys_times_and_records_become_arrays_without_dimensions() -> None:
    moment, span = np.datetime64("2026-01-02T03:04:05.123456789"), np.timedelta64(5, "ms")
    back = through([moment, span, RECORDS[0], np.datetime64("NaT")])
    assert [(item.shape, item.dtype) for item in back[:2]] == [((), moment.dtype), ((), span.dtype)]
    assert (back[0], back[1], back[2].item()) == (moment, span, (1, 2.5, 7))
    assert np.isnat(back[3])


def test_a_type_that_numpy_only_holds_for_others_is_refused() -> None:
    """Its bytes say nothing to who reads them."""
    others = pytest.importorskip("numpy._core._rational_tests")
    with pytest.raises(TypeError, match=r"^state\['r'\]: expected an array of a type that numpy itself has"):
        encode({"r": np.zeros(2, others.rational)})


@pytest.mark.filterwarnings("error")
def test_what_an_array_says_about_its_type_is_left_out_without_a_warning() -> None:
    assert through(np.zeros(2, np.dtype("<f4", metadata={"unit": "m"}))).dtype == np.float32


@given(hnp.arrays(hnp.scalar_dtypes() | hnp.nested_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_any_array(array: np.ndarray[Any, Any]) -> None:
    back = through(array)
    wanted = array.astype(array.dtype.newbyteorder("<"))
    assert back.shape == array.shape
    assert back.tobytes() == wanted.tobytes()


class Picture(torch.Tensor):
    """As torchvision's, say."""


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_tensors_become_arrays() -> None:
    state = {
        "grad": torch.ones(2, 3, requires_grad=True) * 2,
        "half": torch.tensor([0.5], dtype=torch.bfloat16),
        "ints": torch.arange(4)[::2],
        "conj": torch.tensor([1 + 2j]).conj(),
        "parameter": torch.nn.Parameter(torch.zeros(1)),
        "scalar": torch.tensor(7),
        "float8": torch.tensor([0.5]).to(torch.float8_e4m3fn),
        "half complex": torch.tensor([1 + 2j]).to(torch.complex32),
        "imag": torch.tensor([1 + 2j]).conj().imag,
        "uint16": torch.tensor([40000], dtype=torch.uint16),
        "expanded": torch.tensor([1.0]).expand(3),
        "of a class of its own": torch.zeros(1).as_subclass(Picture),
    }
    back = through(state)
    assert back["grad"].tolist() == [[2.0] * 3] * 2
    assert back["half"].dtype == np.float32
    assert back["ints"].tolist() == [0, 2]
    assert back["conj"].tolist() == [1 - 2j]
    assert back["scalar"] == 7
    assert back["scalar"].shape == ()
    assert back["float8"].tolist() == [0.5]
    assert back["half complex"].tolist() == [1 + 2j]
    assert back["imag"].tolist() == [-2.0]
    assert (back["uint16"].dtype, back["uint16"].tolist()) == (np.uint16, [40000])
    assert back["expanded"].tolist() == [1.0] * 3
    assert back["of a class of its own"].tolist() == [0.0]


def test_what_was_put_is_a_copy() -> None:
    array, tensor = np.zeros(3), torch.zeros(3)
    frames = encode({"a": array, "t": tensor, "nested": [array]})
    array += 1
    tensor += 1
    back = decode(frames)
    assert back["a"].tolist() == back["t"].tolist() == back["nested"][0].tolist() == [0.0, 0.0, 0.0]


def cycle() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": [1, {"b": {1, 2}}]}, r"^state\['a'\]\[1\]\['b'\]: expected data .*, got set$"),
        ({"f": open}, r"^state\['f'\]: expected data"),
        ({"o": np.array([object()])}, r"^state\['o'\]: expected an array of numbers or text"),
        ({"s": torch.zeros(2).to_sparse()}, r"^state\['s'\]: expected a dense tensor"),
        ({"m": np.ma.array([1, 2], mask=[False, True])}, r"^state\['m'\]: expected an array without a mask"),
        ({"t": [pd.NaT]}, r"^state\['t'\]\[0\]: expected a moment, got NaT$"),
        ({"t": ["a", "\udcff"]}, r"^state\['t'\]\[1\]: expected text that can be encoded as UTF-8$"),
        ({"t": {"\udcff": 1}}, r"^state\['t'\]: expected text that can be encoded as UTF-8$"),
        (
            {"k": {np.timedelta64(1, "s"): 3}},
            r"^state\['k'\]: expected keys that are text or numbers, got timedelta64$",
        ),
        ({"k": {np.longdouble("0.1"): 3, 0.1: 4}}, r"^state\['k'\]: expected keys that differ"),
        ({"k": {(1, 2): 3}}, r"^state\['k'\]: expected keys that are text or numbers, got tuple$"),
        ({2**70: 1}, r"^state: expected keys of at most 64 bits"),
        ({"i": [10**5000]}, r"^state\['i'\]\[0\]: expected an integer of at most 4,300 digits$"),
        ({"c": cycle()}, rf"expected at most {MAX_DEPTH} dicts and lists"),
        ({"m": torch.nn.Linear(1, 1)}, r"^state\['m'\]: expected data .*, got Linear$"),
    ],
)
def test_anything_else_is_refused_with_its_place(state: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        encode(state)


@pytest.mark.filterwarnings("ignore")  # torch's, of kinds of tensors that it is about to change
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), "got a nested one; send its unbind()"),
        (lambda: torch.quantize_per_tensor(torch.ones(1), 0.1, 0, torch.qint8), "a quantized one; send its dequantize"),
        (lambda: torch.ones(1, device="meta"), "on the meta device, which has none"),
        (lambda: torch.zeros(1, dtype=torch.bits8), "expected a tensor of numbers, got one of torch.bits8"),
    ],
    ids=["nested", "quantized", "meta", "bits"],
)
def test_tensors_that_hold_no_plain_numbers_are_refused(make: Callable[[], torch.Tensor], message: str) -> None:
    with pytest.raises(TypeError, match=r"^state\['t'\]: .*" + re.escape(message)):
        encode({"t": make()})


# ---- damage


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_any_plain_state(value: Any) -> None:
    assert through(value) == value


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3))
def test_any_bytes_are_data_or_an_error(frames: list[bytes]) -> None:
    with contextlib.suppress(WireError):
        decode(frames)


@pytest.mark.parametrize(
    ("ext", "frames"),
    [
        ((1, ["<f8", [2**40], 1]), [b"\x00" * 8]),
        ((1, ["<f8", [-1], 1]), [b""]),
        ((1, ["|O", [1], 1]), [b"\x00" * 8]),
        ((1, [[["x", "|O"]], [1], 1]), [b"\x00" * 8]),
        ((1, ["<f8", [1], 5]), [b"\x00" * 8]),
        ((1, ["<f8", [1], 0]), [b"\x00" * 8]),
        ((1, ["no dtype", [1], 1]), [b"\x00" * 8]),
        ((1, "xyz"), []),
        ((2, "yesterday"), []),
        ((3, "1" * 5000), []),
        ((6, [10**18, 0, 0]), []),
        ((99, None), []),
    ],
)
def test_lies_are_refused(ext: tuple[int, Any], frames: list[bytes]) -> None:
    pack = msgspec.msgpack.encode
    with pytest.raises(WireError):
        decode([pack({"x": msgspec.msgpack.Ext(ext[0], pack(ext[1]))}), *frames])


def test_depth_is_bounded() -> None:
    with pytest.raises(WireError, match="too many dicts and lists"):
        decode([b"\x91" * 100_000])


def test_no_frame_at_all() -> None:
    with pytest.raises(WireError):
        decode([])
