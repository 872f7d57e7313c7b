"""Whatever text, mapping or mixture of good files comes: a dashboard or a ConfigError, and nothing else."""

import contextlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexlogger.config.document import parse
from flexlogger.config.load import load
from flexlogger.config.presets import preset_names
from flexlogger.config.sources import dashboards, presets
from flexlogger.config.tree import Problems, Table
from flexlogger.config.update import update
from flexlogger.errors import ConfigError

GOOD = [file.read_text(encoding="utf-8") for file in (*presets([]).values(), *dashboards().values())]
PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        ": ",
        "- ",
        "? ",
        "\n",
        "\n  ",
        "\t",
        "#",
        "'",
        '"',
        "|",
        ">",
        "%",
        "@",
        "`",
        "!",
        "!!",
    ),
    *(
        "&a ",
        "*a",
        "<<: *a",
        "---",
        "...",
        "{phase}",
        "{phase}_",
        "${env:HOME}",
        "${env:",
        "null",
        "true",
        "1e-3",
        ".nan",
    ),
    *(
        "plots",
        "meters",
        "type",
        "opts",
        "target",
        "x",
        "loss",
        "line",
        "ConfusionMeter",
        "k: ",
        "labels: [a]",
        "extends: ",
    ),
    *(
        "unit: s",
        "display: {color: red}",
        "order: [loss]",
        "phases: []",
        "sinks: [visdom]",
        "\\u0000",
        "\ud7ff",
        "\x85",
        "é",
    ),
]
slow = settings(suppress_health_check=list(HealthCheck))


def problems_of(source):
    """What is wrong with a source; anything but a ConfigError fails the test."""
    try:
        load(source)
    except ConfigError as error:
        return error.problems
    return ()


@st.composite
def mutilated(draw):
    text = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 20])))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[end:]
    return text


@slow
@given(text=mutilated())
def test_mutilated_files(text, tmp_path_factory):
    path = Path(tmp_path_factory.getbasetemp()) / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert all(problem.message for problem in problems_of(path))


@slow
@given(text=st.text() | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_texts(text):
    problems = Problems()
    tree = parse(text, "f.yaml", problems)
    assert isinstance(tree, Table) or problems


@slow
@given(data=st.binary(max_size=200))
def test_bytes(data):
    problems = Problems()
    tree = parse(data, "f.yaml", problems)
    assert isinstance(tree, Table) or problems


KEYS = st.sampled_from(
    [
        *(
            "extends",
            "phases",
            "env",
            "uid",
            "port",
            "plots",
            "meters",
            "sinks",
            "layout",
            "order",
            "runlog",
            "token",
            "dir",
        ),
        *(
            "type",
            "opts",
            "x",
            "target",
            "display",
            "labels",
            "unit",
            "color",
            "band",
            "k",
            "kind",
            "{phase}_a",
            "a",
            "loss",
        ),
    ]
)
WORDS = ["line", "heatmap", "AverageValueMeter", "ConfusionMeter", "a", "loss", "{phase}_a", "loss+mse", "std"]
OBJECTS = [object(), dict, int, Problems, len, {1, 2}, range(3), 1j, b"x"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(WORDS),
    st.sampled_from(OBJECTS),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=4), max_size=3)
DECLARATIONS = st.fixed_dictionaries({}, optional={"plots": ENTRIES | VALUES, "meters": ENTRIES | VALUES}).flatmap(
    lambda base: st.dictionaries(KEYS, VALUES, max_size=3).map(lambda more: more | base)
)


@slow
@given(declaration=DECLARATIONS)
def test_mappings(declaration):
    assert all(problem.message for problem in problems_of(declaration))


@slow
@given(changes=DECLARATIONS, name=st.sampled_from(preset_names([])))
def test_changes(changes, name):
    dashboard = load(name)
    with contextlib.suppress(ConfigError):
        update(dashboard, changes)
    assert dashboard == load(name)


@slow
@given(expression=st.text(alphabet="lossmae+ ./\\yml\0{}$", max_size=12))
def test_expressions(expression):
    assert all(problem.message for problem in problems_of(expression))
