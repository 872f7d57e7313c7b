import math

import pytest

from flexlogger.config.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("9223372036854775807", 2**63 - 1),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_core_scalars_of_yaml_1_2(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "n",
        "010",
        "007",
        "12:30",
        "1_000",
        "2024-01-01",
        "1e",
        "e5",
        ".",
        "+",
        "0b1",
        "tRue",
        "00.5",
    ],
)
def test_words_and_shapes_that_yaml_1_1_would_change_stay_text(text):
    assert resolve(text) == text


def test_nan_is_a_number():
    assert math.isnan(resolve(".nan"))


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "-9223372036854775809", "9" * 100_000, "0x" + "f" * 100_000, "1." + "1" * 100]
)
def test_numbers_that_fit_nowhere_are_refused(text):
    with pytest.raises(ValueError, match=r"64 bits|too long"):
        resolve(text)
