"""What a declaration may say: types, names, units, shapes, targets; and what it may not."""

import subprocess
import sys

import pytest

from flexlogger.config.load import load
from flexlogger.config.model import SinkConfig
from flexlogger.errors import ConfigError

LINE = {"loss": {"type": "line"}}
MEAN = {"type": "AverageValueMeter", "target": "loss"}


class Own:
    def add(self, value): ...
    def value(self): ...
    def reset(self): ...


class TorchmetricsLike:
    def update(self, value): ...
    def compute(self): ...
    def reset(self): ...


def problems_of(source, **arguments):
    with pytest.raises(ConfigError) as caught:
        load(source, **arguments)
    return [(p.path, p.message) for p in caught.value.problems]


def problem_of(source, **arguments):
    (problem,) = problems_of(source, **arguments)
    return problem


# ---- the whole


def test_the_dictionaries_of_the_first_readme():
    dashboard = load(
        {
            "plots": {"loss": {"type": "line"}, "images": {"type": "image", "opts": {"env": "my_env2"}}},
            "meters": {
                "train_loss": {"type": "AverageValueMeter", "target": "loss"},
                "test_loss": {"type": "AverageValueMeter", "target": "loss"},
            },
            "env": "my_env",
            "uid": "my_uid",
        }
    )
    assert (dashboard.env, dashboard.uid) == ("my_env", "my_uid")
    assert dashboard.plots[1].opts == {"env": "my_env2"}
    assert [(meter.name, meter.implicit) for meter in dashboard.meters] == [
        ("train_loss", False),
        ("test_loss", False),
        ("images", True),
    ]
    assert dashboard.remarks == (
        "<dict>: plots.images: no meter goes here, so it shows the last value added as 'images'",
    )


def test_nothing_declared_is_a_dashboard_to_add_to():
    dashboard = load({})
    assert (dashboard.plots, dashboard.meters, dashboard.sinks) == ((), (), (SinkConfig("visdom"),))


def test_every_setting_arrives():
    dashboard = load(
        {
            "env": "e", "uid": "u", "server": "http://h", "port": 80, "token": "t",
            "project": "p", "run": "r", "dir": "d",
            "name": "a run", "tags": ["x", "y", "x"], "notes": "n", "resume_step": 7, "ranks": "all",
            "config": {"lr": 0.1, "net": {"sizes": [8, 16], "act": None}},
            "max_media": 5, "fsync": 1.5, "strict": False, "max_points": 50, "runlog": False,
            "plots": {"a": {}, "b": {"max_points": 9, "x": "time"}},
            "layout": {"columns": 3, "width": 400, "height": 300, "order": ["b", "a"]},
        }
    )  # fmt: skip
    assert (dashboard.env, dashboard.uid, dashboard.server, dashboard.port) == ("e", "u", "http://h", 80)
    assert (dashboard.token, dashboard.project, dashboard.run, dashboard.dir) == ("t", "p", "r", "d")
    assert (dashboard.name, dashboard.tags, dashboard.notes) == ("a run", ("x", "y"), "n")
    assert (dashboard.resume_step, dashboard.ranks) == (7, "all")
    assert dashboard.config == {"lr": 0.1, "net": {"sizes": [8, 16], "act": None}}
    assert (dashboard.max_media, dashboard.fsync, dashboard.strict, dashboard.runlog) == (5, 1.5, False, False)
    assert [(plot.max_points, plot.x) for plot in dashboard.plots] == [(50, "step"), (9, "time")]
    assert (dashboard.layout.columns, dashboard.layout.width, dashboard.layout.order) == (3, 400, ("b", "a"))


def test_null_is_not_said():
    assert load({"env": None, "plots": {"loss": {"type": None, "opts": None}}, "meters": None}).env is None


@pytest.mark.parametrize(("said", "kept"), [(True, True), ("on", True), (False, False), ("off", False)])
def test_the_run_log_can_be_asked_not_to_be(said, kept):
    assert load({"runlog": said}).runlog is kept


# ---- keys and types


@pytest.mark.parametrize(
    ("source", "path", "words"),
    [
        ({"plotz": {}}, "plotz", "unknown key 'plotz'; did you mean 'plots'?"),
        ({"models": {}}, "models", "unknown key 'models'; did you mean 'model'?"),
        ({"surveys": {}}, "surveys", "unknown key 'surveys'"),
        ({"port": "8097"}, "port", "expected an integer of at least 1 and at most 65535, but got '8097'"),
        ({"port": 0}, "port", "at least 1"),
        ({"port": True}, "port", "but got true"),
        ({"max_points": 3}, "max_points", "of at least 4, but got 3"),
        ({"fsync": float("nan")}, "fsync", "expected a finite number"),
        ({"strict": "yes"}, "strict", "expected true or false, but got 'yes'"),
        ({"runlog": "never"}, "runlog", "expected one of True, False, on, off"),
        ({"plots": []}, "plots", "expected a mapping, but got a list"),
        ({"config": [1]}, "config", "expected a mapping, but got a list"),
        ({"tags": "a"}, "tags", "expected a list of strings, but got 'a'"),
        ({"tags": ["a", 1]}, "tags[1]", "but entry 1 is 1"),
        ({"tag": ["a"]}, "tag", "did you mean 'tags'?"),
        ({"configs": {}}, "configs", "did you mean 'config'?"),
        ({"name": " "}, "name", "expected printable text"),
        ({"notes": 5}, "notes", "expected a string, but got 5"),
        ({"ranks": "every"}, "ranks", "expected one of first, all, but got 'every'"),
        ({"ranks": 0}, "ranks", "expected one of first, all, but got 0"),
        ({"resume_step": float("inf")}, "resume_step", "expected a finite number"),
        ({"resume_step": True}, "resume_step", "expected a finite number, but got true"),
        ({"plots": {"p": "line"}}, "plots.p", "expected a mapping such as {type: line}, but got 'line'"),
        ({"plots": {"p": None}}, "plots.p", "nothing inherited to delete; write {}"),
        ({"plots": {"p": {"typ": "line"}}}, "plots.p.typ", "unknown key 'typ'; did you mean 'type'?"),
        ({"plots": {"p": {"type": 5}}}, "plots.p.type", "expected a string, but got 5"),
        ({"plots": {"p": {"type": "lines"}}}, "plots.p.type", "unknown plot type 'lines'; did you mean 'line'?"),
        (
            {"plots": {"p": {"type": "line", "opts": {"ylable": "y"}}}},
            "plots.p.opts.ylable",
            "unknown option of plot type line 'ylable'; did you mean 'ylabel'?",
        ),
        ({"plots": {"p": {"opts": {"ytype": "lag"}}}}, "plots.p.opts.ytype", "one of linear, log, but got 'lag'"),
        ({"plots": {"p": {"opts": []}}}, "plots.p.opts", "expected a mapping, but got a list"),
        ({"plots": {" ": {}}}, "plots. ", "expected a name, but got an empty string"),
        ({"plots": {"a\nb": {}}}, "plots.a\nb", "printable"),
        ({"layout": {"order": ["x"]}}, "layout.order[0]", "unknown plot 'x'"),
        ({"layout": {"columns": 0}}, "layout.columns", "at least 1"),
        ({"layout": {"colums": 2}}, "layout.colums", "did you mean 'columns'?"),
        ({"phases": "train"}, "phases", "expected a list of strings, but got 'train'"),
        ({"phases": ["a", 5]}, "phases[1]", "but entry 1 is 5"),
        ({"phases": ["a", "a"]}, "phases[1]", "phase 'a' is there twice"),
        ({"phases": [""]}, "phases[0]", "empty string"),
        ({"phases": ["{phase}"]}, "phases[0]", "cannot hold {phase} itself"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_repair(source, path, words):
    where, message = problem_of(source)
    assert where == path
    assert words in message


# ---- names the server would refuse


@pytest.mark.parametrize("key", ["env", "uid", "project", "run"])
@pytest.mark.parametrize("name", ["digits", "digits 2", "a.b@c+d=e,f-g_h", "9", "été", "x" * 120])
def test_names_the_server_takes(key, name):
    assert getattr(load({key: name}), key) == name


@pytest.mark.parametrize("key", ["env", "uid", "project", "run"])
@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", " a", "-a", "a\n", "a:b", "x" * 121, "a.json", "a.json.b"]
)
def test_names_the_server_refuses(key, name):
    where, message = problem_of({key: name})
    assert where == key
    assert "server" in message


def test_a_plots_own_environment_is_checked_too():
    assert problem_of({"plots": {"p": {"type": "line", "opts": {"env": "a/b"}}}})[0] == "plots.p.opts.env"


@pytest.mark.parametrize("source", [{"token": ""}, {"token": "a\nb"}, {"server": " "}, {"dir": ""}])
def test_settings_are_printable_text(source):
    assert "printable text" in problem_of(source)[1]


# ---- meters and their plots


def test_a_meter_without_target_goes_to_the_plot_of_its_name():
    assert load({"plots": {"lr": {}}, "meters": {"lr": {"type": "LastValueMeter"}}}).meters[0].target == "lr"


def test_a_meter_that_finds_no_plot_names_the_plots():
    meters = {"train_loss": {"type": "AverageValueMeter"}}
    assert problem_of({"plots": {"loss": {}, "acc": {}}, "meters": meters})[1] == (
        "no plot is named 'train_loss'; set target to one of: loss, acc"
    )
    assert problem_of({"meters": meters})[1].endswith("set target to a plot, and declare that under plots")


@pytest.mark.parametrize(
    ("target", "words"), [("los", "did you mean 'loss'?"), ("zzz", "declare it under plots, or mend the target")]
)
def test_an_unknown_target_is_an_error(target, words):
    where, message = problem_of({"plots": LINE, "meters": {"m": {**MEAN, "target": target}}})
    assert where == "meters.m.target"
    assert words in message


def test_a_plot_whose_name_belongs_to_a_meter_elsewhere_needs_a_meter():
    source = {"plots": {"loss": {}, "acc": {}}, "meters": {"acc": MEAN}}
    assert problem_of(source)[1] == "no meter goes here, and a meter of this name goes to 'loss'; give it a meter"


@pytest.mark.parametrize(
    ("meter", "plot"),
    [
        ({"type": "AverageValueMeter"}, "line"),
        ({"type": "ConfusionMeter", "opts": {"k": 3}}, "heatmap"),
        ({"type": "torchmetrics.MeanMetric"}, "line"),
    ],
)
def test_a_plot_without_type_takes_what_suits_its_meters(meter, plot):
    assert load({"plots": {"p": {}}, "meters": {"p": meter}}).plots[0].type == plot


def test_a_meter_its_plot_cannot_draw_is_an_error():
    where, message = problem_of(
        {"plots": LINE, "meters": {"c": {"type": "ConfusionMeter", "opts": {"k": 3}, "target": "loss"}}}
    )
    assert where == "meters.c.target"
    assert message == (
        "plot 'loss' of type line draws scalar, vector, but this meter yields matrix; send it to a plot of type heatmap"
    )


def test_two_units_in_one_plot_are_an_error():
    meters = {"a": {**MEAN, "unit": "s"}, "b": {**MEAN, "unit": "ms"}, "c": MEAN}
    where, message = problem_of({"plots": LINE, "meters": meters})
    assert where == "meters.b.unit"
    assert "'a' is in 's', this meter in 'ms'" in message


def test_a_declared_unit_replaces_the_meters_own():
    meters = {"a": {"type": "ClassErrorMeter", "target": "loss"}, "b": {**MEAN, "unit": "s"}}
    assert problem_of({"plots": LINE, "meters": meters})[0] == "meters.b.unit"
    meters["a"]["unit"] = "s"
    assert load({"plots": LINE, "meters": meters})


def test_labels_match_what_is_labelled():
    meter = {"type": "ConfusionMeter", "opts": {"k": 3}, "target": "c"}
    assert load({"plots": {"c": {}}, "meters": {"m": {**meter, "labels": ["a", 1, 2.5]}}}).meters[0].labels == (
        "a",
        "1",
        "2.5",
    )
    assert problem_of({"plots": {"c": {}}, "meters": {"m": {**meter, "labels": ["a"]}}}) == (
        "meters.m.labels",
        "expected 3 labels, one per entry, but got 1",
    )
    where, message = problem_of({"plots": {"c": {"opts": {"labels": ["a", "b"]}}}, "meters": {"m": meter}})
    assert (where, message) == ("plots.c.opts.labels", "expected 3 labels, one per entry of 'm', but got 2")


@pytest.mark.parametrize(
    ("display", "path", "words"),
    [
        ({"color": "#12"}, "color", "expected a colour such as '#0072b2'"),
        ({"colour": "red"}, "colour", "unknown key 'colour'; did you mean 'color'?"),
        ({"dash": "dashy"}, "dash", "expected one of solid"),
        ({"width": 0}, "width", "at least"),
        ({"band": "max"}, "band", "expected one of std"),
    ],
)
def test_a_look_nobody_can_draw_is_refused(display, path, words):
    where, message = problem_of({"plots": LINE, "meters": {"m": {**MEAN, "display": display}}})
    assert where == f"meters.m.display.{path}"
    assert words in message


def test_a_look():
    display = {"color": "rgb(0, 114, 178)", "dash": "dot", "width": 3, "band": "std"}
    assert load({"plots": LINE, "meters": {"m": {**MEAN, "display": display}}}).meters[0].display == display


def test_a_band_the_meter_does_not_yield_is_refused():
    meter = {"type": "MSEMeter", "target": "loss", "display": {"band": "std"}}
    assert problem_of({"plots": LINE, "meters": {"m": meter}}) == (
        "meters.m.display.band",
        "this meter yields no 'std'; drop the band",
    )


@pytest.mark.parametrize("x", ["step", "time", "m"])
def test_x_is_a_clock_or_a_meter(x):
    assert load({"plots": {"loss": {"x": x}}, "meters": {"m": MEAN}}).plots[0].x == x


def test_x_is_nothing_else():
    assert problem_of({"plots": {"loss": {"x": "stepp"}}, "meters": {"m": MEAN}}) == (
        "plots.loss.x",
        "unknown x axis 'stepp'; did you mean 'step'?",
    )
    meters = {"m": MEAN, "c": {"type": "ConfusionMeter", "opts": {"k": 2}, "target": "c"}}
    where, message = problem_of({"plots": {"loss": {"x": "c"}, "c": {}}, "meters": meters})
    assert (where, message) == ("plots.loss.x", "expected a meter of numbers, but 'c' yields matrix")


# ---- what a meter may be


@pytest.mark.parametrize("kind", [Own, Own(), TorchmetricsLike, TorchmetricsLike(), lambda: Own()])
def test_classes_instances_and_factories_stand_for_names(kind):
    assert load({"plots": LINE, "meters": {"m": {"type": kind, "target": "loss"}}}).meters[0].type is kind


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("AverageMeter", "unknown meter 'AverageMeter'; did you mean 'AverageValueMeter'?"),
        (5, "expected a meter's name, class, instance or factory, but got 5"),
        (["x"], "but got a list"),
        (int, "int has no add, value and reset, so it is no meter"),
        ("subprocess.Popen", "'subprocess.Popen' is not below a package that may be imported"),
        ("os.system", "--allow-import os"),
        ("flexlogger.config.load.os._exit", "names something private"),
        ("torchmetrics.__builtins__.eval", "names something private"),
        ("torchmetrics..MeanMetric", "expected a path such as"),
        ("torchmetricsx.MeanMetric", "not below a package"),
        ("my package.Meter", "expected a path such as"),
    ],
)
def test_what_is_no_meter_is_refused(kind, words):
    where, message = problem_of({"plots": LINE, "meters": {"m": {"type": kind, "target": "loss"}}})
    assert where == "meters.m.type"
    assert words in message


def test_a_type_is_needed():
    where, message = problem_of({"plots": LINE, "meters": {"m": {"target": "loss"}}})
    assert (where, "missing key 'type'" in message) == ("meters.m", True)


def test_an_instance_is_one_meter_and_takes_no_opts():
    own = Own()
    where, message = problem_of({"plots": LINE, "meters": {"{phase}_m": {"type": own, "target": "loss"}}})
    assert (where, "'train_m' and 'test_m'" in message) == ("meters.{phase}_m.type", True)
    meter = {"type": own, "target": "loss", "opts": {"k": 1}}
    assert "takes no opts" in problem_of({"plots": LINE, "meters": {"m": meter}})[1]


def test_other_packages_can_be_allowed():
    source = {"plots": LINE, "meters": {"m": {"type": "mine.metrics.Own", "target": "loss"}}}
    assert "--allow-import mine" in problem_of(source)[1]
    for allowed in ("mine", "mine.", "mine.metrics"):
        assert load(source, allow_imports=[allowed]).meters[0].type == "mine.metrics.Own"
    assert problems_of(source, allow_imports=["min"])


def test_opts_of_a_meter_are_checked_and_those_of_a_path_are_left_to_its_class():
    meter = {"type": "ConfusionMeter", "opts": {"kk": 3}, "target": "c"}
    assert {path for path, _ in problems_of({"plots": {"c": {}}, "meters": {"m": meter}})} >= {"meters.m.opts.kk"}
    meter = {"type": "torchmetrics.Anything", "opts": {"whatever": None}, "target": "c"}
    assert load({"plots": {"c": {}}, "meters": {"m": meter}}).meters[0].opts == {"whatever": None}


def test_a_meter_class_of_ours_is_known_by_its_path():
    from flexlogger.meters.catalog import METERS

    path = METERS["ConfusionMeter"].path.replace(":", ".")
    meter = {"type": path, "opts": {"k": 3}, "target": "loss"}
    assert "yields matrix" in problem_of({"plots": LINE, "meters": {"m": meter}})[1]


# ---- sinks


def test_sinks_are_names_options_and_objects():
    class View:
        def write(self, batch): ...
        def flush(self): ...
        def close(self): ...

    view = View()
    visdom = {"visdom": {"client": "package", "server": "http://h", "port": 1, "token": "t"}}
    sinks = load({"sinks": ["terminal", visdom, view]}).sinks
    assert sinks[:2] == (SinkConfig("terminal"), SinkConfig("visdom", visdom["visdom"]))
    assert sinks[2].sink is view
    assert load({"sinks": []}).sinks == ()
    several = [{"csv": {"path": f"{n}.csv"}} for n in range(2)] + [{"mlflow": {"uri": f"http://{n}"}} for n in range(2)]
    assert len(load({"sinks": ["csv", "jsonl", "mlflow", *several]}).sinks) == 7


@pytest.mark.parametrize(
    ("sinks", "path", "words"),
    [
        ("visdom", "sinks", "expected a list, but got 'visdom'"),
        (["visdm"], "sinks[0]", "unknown sink 'visdm'; did you mean 'visdom'?"),
        ([{"visdm": {}}], "sinks[0]", "unknown sink 'visdm'; did you mean 'visdom'?"),
        (["terminal", 5], "sinks[1]", "expected a sink's name or {name: options}, but got 5"),
        ([{"visdom": {}, "terminal": {}}], "sinks[0]", "but got a mapping"),
        ([{"visdom": {"client": "tcp"}}], "sinks[0].visdom.client", "expected one of http, package"),
        ([{"visdom": {"prot": 1}}], "sinks[0].visdom.prot", "did you mean 'port'?"),
        ([{"terminal": {"x": 1}}], "sinks[0].terminal.x", "unknown option"),
        (["memory", "memory"], "sinks[1]", "sink 'memory' is there twice"),
        (
            ["csv", {"csv": {"only": "a"}}],
            "sinks[1]",
            "'csv' would write over sinks[0]; give it another place with path",
        ),
        (
            ["visdom", {"csv": {"path": "a/b.csv"}}, {"jsonl": {"path": "a/./b.csv"}}],
            "sinks[2]",
            "sink 'jsonl' would write over sinks[1]",
        ),
        (["tensorboard", {"tensorboard": {"every": "3 steps"}}], "sinks[1]", "another place with dir:"),
        (["mlflow", {"mlflow": {"not": ["b"]}}], "sinks[1]", "another place with uri: or experiment:"),
    ],
)
def test_what_is_no_sink_is_refused(sinks, path, words):
    where, message = problem_of({"sinks": sinks})
    assert where == path
    assert words in message


# ---- what is not imported


def test_loading_a_config_imports_nothing_heavy_and_nothing_it_names():
    code = (
        "import sys; from flexlogger.config.load import load;"
        "load('loss', overrides={'plots': {'p': {}}, 'meters': {'p': {'type': 'torchmetrics.MeanMetric'}}});"
        "heavy = {'torch', 'visdom', 'torchmetrics', 'torchnet', 'omegaconf', 'requests', 'rich'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "ours = [m for m in sys.modules if m.startswith(('flexlogger.sinks', 'flexlogger.logger', 'flexlogger.pipe'))];"
        "assert not ours, ours"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- torchmetrics by bare name


def test_a_class_of_torchmetrics_is_known_by_its_bare_name():
    pytest.importorskip("torchmetrics")
    meters = {name: {"type": name, "target": "loss"} for name in ("F1Score", "MulticlassF1Score", "MeanMetric")}
    assert [meter.type for meter in load({"plots": LINE, "meters": meters}).meters] == [
        "torchmetrics.classification.F1Score",
        "torchmetrics.classification.MulticlassF1Score",
        "torchmetrics.MeanMetric",
    ]
    near = {"m": {"type": "MulticlassF1Scor", "target": "loss"}}
    assert problem_of({"plots": LINE, "meters": near})[1] == (
        "unknown meter 'MulticlassF1Scor'; did you mean 'MulticlassF1Score'?"
    )


def test_the_bare_names_are_those_that_torchmetrics_exports():
    pytest.importorskip("torchmetrics")
    from importlib import import_module

    from flexlogger.config.torchmetrics_names import torchmetrics_paths

    paths = torchmetrics_paths()
    exported = {name for name in import_module("torchmetrics").__all__ if name[0].isupper()}
    assert exported <= set(paths)
    needs_no_extra = ("classification", "regression", "clustering", "nominal", "retrieval", "wrappers", "segmentation")
    for path in paths.values():
        module, _, name = path.rpartition(".")
        if module.rpartition(".")[2] in needs_no_extra:
            assert hasattr(import_module(module), name), path
