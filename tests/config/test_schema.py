"""The JSON Schema for editors: it takes what the check takes, and refuses most of what the check refuses."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from flexlogger.config.document import parse
from flexlogger.config.schema import json_schema
from flexlogger.config.sources import dashboards, presets
from flexlogger.config.tree import Problems, plain
from flexlogger.meters.catalog import METERS
from flexlogger.plots.catalog import PLOTS

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BROKEN = Path(__file__).parent / "broken"
GOOD = {**presets([]), **dashboards()}


def data(text):
    return plain(parse(text, "f.yaml", Problems()))


def errors(declaration):
    return [error.message for error in VALIDATOR.iter_errors(declaration)]


def test_it_is_a_schema_and_plain_json():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


@pytest.mark.parametrize("name", sorted(GOOD))
def test_every_preset_and_dashboard_is_valid(name):
    assert errors(data(GOOD[name].read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("info", [*PLOTS.values(), *METERS.values()], ids=lambda info: info.name)
def test_the_examples_of_the_catalogs_are_valid(info):
    example = data(info.example)
    assert errors(example if {"plots", "meters"} & set(example) else {"meters": example}) == []


@pytest.mark.parametrize(
    "text",
    [
        "runlog: off",
        "token: ${env:TOKEN}\nenv: ${env:USER}",
        "sinks: [visdom, {terminal: null}, {visdom: {client: package, port: 8097}}]",
        "plots: {a: null, b: {type: null}}\nmeters: {c: null}",
        "meters: {m: {type: mine.metrics.Own, opts: {anything: [goes]}}}",
        "meters: {m: {type: ClassErrorMeter, opts: {topk: [1, 5]}}}",
        "phases: []",
        "model: {sources: {grads: [norm], weights: null}, layers: ['re:a.*'], budget: 1%, opts: {ytype: log}}",
        "model: {sources: [grads], stats: [mylab.kurtosis], every: 5, sample: all}",
    ],
)
def test_what_the_check_takes_is_valid(text):
    assert errors(data(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "models: {}",
        "model: {sources: {weigths: [mean]}}",
        "model: {every: 0}",
        "model: {mode: layers}",
        "model: {opts: {ylable: y}}",
        "port: 0",
        "env: a/b",
        "env: main.json",
        "runlog: never",
        "phases: train",
        "plots: {a: {type: lime}}",
        "plots: {a: {type: line, opts: {ylable: y}}}",
        "plots: {a: {type: heatmap, opts: {colormap: Rainbows}}}",
        "plots: {a: {type: image, opts: {env: ../x}}}",
        "plots: {a: line}",
        "plots: {' ': {}}",
        "meters: {m: {type: AverageMeter}}",
        "meters: {m: {type: ConfusionMeter, opts: {k: ten}}}",
        "meters: {m: {type: ConfusionMeter, opts: {kk: 10}}}",
        "meters: {m: {type: MSEMeter, display: {color: '#12'}}}",
        "meters: {m: {type: ClassErrorMeter, opts: {topk: [one]}}}",
        "sinks: [visdm]",
        "sinks: visdom",
        "sinks: [{visdom: {prot: 1}}]",
        "layout: {columns: 0}",
    ],
)
def test_what_the_check_refuses_by_form_is_invalid(text):
    assert errors(data(text))


def test_most_broken_files_are_invalid_too():
    cases = [json.loads(line) for line in (BROKEN / "mutated.jsonl").read_text(encoding="utf-8").splitlines()]
    judged = caught = 0
    for case in cases:
        try:
            loaded = yaml.safe_load(case["yaml"])
        except yaml.YAMLError:
            continue
        problems = Problems()
        tree = parse(case["yaml"], "f.yaml", problems)
        if tree is not None and not problems and loaded is not None:
            judged += 1
            caught += bool(errors(plain(tree)))
    assert judged > 200
    assert caught >= 0.7 * judged


def test_everything_offered_by_an_editor_has_a_description():
    for properties in (SCHEMA["properties"], SCHEMA["$defs"]["meter"]["properties"]):
        assert all("description" in value or "anyOf" in value for value in properties.values())
    offered = SCHEMA["$defs"]["plot"]["properties"]["type"]["anyOf"]
    assert {entry.get("const") for entry in offered} >= set(PLOTS)
    assert all(entry["description"] for entry in offered)
