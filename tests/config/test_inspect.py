"""The `inspect` section: what a config says of videos of a model."""

import pytest

from flexlogger.config.load import load
from flexlogger.config.schema import json_schema
from flexlogger.config.update import as_mapping, update
from flexlogger.errors import ConfigError
from flexlogger.inspector import names, recorder, video


def problems(inspect):
    with pytest.raises(ConfigError) as caught:
        load({"inspect": inspect})
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_the_names_are_those_of_the_inspector():
    assert tuple(video._CODECS) == names.CODECS
    assert all(callable(getattr(recorder.DataRecorder, f"tensor_{view}")) for view in names.VIEWS)
    section = json_schema()["properties"]["inspect"]["properties"]
    assert section["sources"]["items"] == {"enum": list(names.SOURCES)}


def test_a_whole_section_survives_updates_and_merges():
    said = {"layers": ["features.*"], "sources": ["weights"], "view": "pca", "size": [320, 240], "live": True, "fps": 5}
    dashboard = load({"inspect": said})
    assert dashboard.inspect == said
    assert load(as_mapping(dashboard)).inspect == said
    assert update(dashboard, {"plots": {"loss": {}}}).inspect == said
    assert load("loss", overrides={"inspect": {"live": True}}).inspect == {"live": True}


def test_all_by_default_is_something_else_than_nothing():
    assert load({"inspect": {}}).inspect == {}
    assert load("loss").inspect is None
    assert load({"inspect": None}).inspect is None


@pytest.mark.parametrize(
    ("inspect", "path", "message"),
    [
        ({"layer": ["0"]}, "inspect.layer", "unknown key 'layer'; did you mean 'layers'?"),
        ({"sources": ["output"]}, "inspect.sources[0]", "unknown source 'output'; did you mean 'outputs'?"),
        ({"sources": []}, "inspect.sources", "expected some of outputs, grad_out, weights, got none"),
        ({"size": [641, 480]}, "inspect.size", "expected [width, height], even, from 64 to 4096, but got [641, 480]"),
        ({"size": [640]}, "inspect.size", "expected [width, height], even, from 64 to 4096, but got [640]"),
        ({"fps": 0}, "inspect.fps", "expected a finite number of at least 0.01, but got 0"),
        ({"fps": 5000}, "inspect.fps", "expected a number from 0.01 to 1000, but got 5000"),
        ({"timeout": 1e30}, "inspect.timeout", "expected a number from 0.001 to 1e+06, but got 1e+30"),
        (
            {"view": "plot2d"},
            "inspect.view",
            "expected one of plot2D, histogram, pca, but got 'plot2d'",
        ),
    ],
)
def test_mistakes_are_told_with_their_place_and_the_nearest_name(inspect, path, message):
    assert problems(inspect) == [(path, message)]


@pytest.mark.parametrize("inspect", [{"view": "plot3D"}, {"codec": "h265"}, {"frequency": 0}, {"frequency": 2.5}, []])
def test_what_cannot_be_is_refused(inspect):
    ((path, _),) = problems(inspect)
    assert path.startswith("inspect")
