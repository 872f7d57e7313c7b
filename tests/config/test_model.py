"""The `model` section: what a config says of a model that shares the run."""

import pytest

from flexlogger.config.load import load
from flexlogger.config.update import as_mapping, update
from flexlogger.errors import ConfigError
from flexlogger.model import names, statistics


def problems(model, **options):
    with pytest.raises(ConfigError) as caught:
        load({"model": model}, **options)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_the_names_are_those_of_the_statistics():
    assert tuple(statistics.STATISTICS) == names.STATISTICS


def test_a_whole_section():
    said = {
        "sources": {"weights": {"mean": True, "std": False, "update_ratio": True}, "grads": ["norm"]},
        "layers": ["encoder.*", "type:Linear"],
        "budget": "1%",
        "mode": "by_metric",
        "opts": {"ytype": "log"},
        "stop_on_nan": True,
    }
    dashboard = load({"model": said})
    assert dashboard.model == {**said, "sources": {"weights": ["mean", "update_ratio"], "grads": ["norm"]}}
    assert load(as_mapping(dashboard)).model == dashboard.model
    assert update(dashboard, {"plots": {"loss": {}}}).model == dashboard.model
    assert load("loss").model == {}


def test_presets_compose_and_can_be_changed():
    model = load("grads+updates", overrides={"model": {"sources": {"grads": {"std": None}}, "budget": "2%"}}).model
    assert model["sources"] == {"grads": ["norm", "mean"], "weights": ["update_ratio"]}
    assert model["budget"] == "2%"


@pytest.mark.parametrize(
    ("model", "path", "message"),
    [
        ({"source": ["grads"]}, "model.source", "unknown key 'source'; did you mean 'sources'?"),
        ({"sources": ["gards"]}, "model.sources[0]", "unknown source 'gards'; did you mean 'grads'?"),
        (
            {"sources": {"weigths": ["mean"]}},
            "model.sources.weigths",
            "unknown source 'weigths'; did you mean 'weights'?",
        ),
        ({"sources": {"grads": ["meen"]}}, "model.sources.grads[0]", "unknown statistic 'meen'; did you mean 'mean'?"),
        ({"sources": {"grads": {"meen": True}}}, "model.sources.grads.meen", "unknown statistic 'meen'"),
        ({"sources": {"grads": []}}, "model.sources.grads", "expected statistics such as [mean, std]"),
        ({"sources": {"grads": "mean"}}, "model.sources.grads", "but got 'mean'"),
        ({"sources": {"grads": {"mean": 3}}}, "model.sources.grads", "but got a mapping"),
        ({"sources": {"grads": ["update_ratio"]}}, "model.sources.grads", "update_ratio is a statistic of weights"),
        ({"stats": ["mean", "mylab.kurtosis"]}, "model.stats[1]", "is not below a package that may be imported"),
        ({"sources": []}, "model.sources", "expected at least one of weights, grads"),
        ({"stats": []}, "model.stats", "expected at least one of mean, std"),
        ({"layers": []}, "model.layers", "expected at least one of the model's layers, but got none"),
        ({"layers": ["a", "re:("]}, "model.layers[1]", "'re:(' is no regular expression"),
        ({"layers": "typ:Linear"}, "model.layers", "unknown kind of choice 'typ'; did you mean 'type'?"),
        ({"every": 0}, "model.every", "expected an integer of at least 1, but got 0"),
        ({"every": 5, "budget": "1%"}, "model.every", "expected every or budget, but got both"),
        ({"budget": "110%"}, "model.budget", "share of the steps' time such as '1%' or 0.01, but got '110%'"),
        ({"mode": "by_layers"}, "model.mode", "expected one of by_layer, by_metric, by_stat, but got 'by_layers'"),
        ({"sample": "some"}, "model.sample", "expected an integer of at least 1 or 'all', but got 'some'"),
        ({"opts": {"ylable": "y"}}, "model.opts.ylable", "did you mean 'ylabel'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(model, path, message):
    found = problems(model)
    assert [place for place, _ in found] == [path]
    assert message in found[0][1]


def test_own_statistics_need_leave_to_be_imported():
    assert load({"model": {"stats": ["mylab.kurtosis"]}}, allow_imports=["mylab"]).model == {
        "stats": ["mylab.kurtosis"]
    }
