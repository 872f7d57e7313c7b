"""From presets, files and dicts to one checked dashboard: the promises of the config, rule by rule."""

import os

import pytest
from omegaconf import OmegaConf

from flexlogger.config.load import load
from flexlogger.errors import ConfigError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEXLOGGER_PRESETS", raising=False)
    return tmp_path


def problems_of(source, **arguments):
    with pytest.raises(ConfigError) as caught:
        load(source, **arguments)
    return [(p.place.line, p.path, p.message) for p in caught.value.problems]


def names(dashboard):
    return [plot.name for plot in dashboard.plots], [meter.name for meter in dashboard.meters]


LOSS = """\
plots:
  loss: {type: line}
meters:
  "{phase}_loss": {type: AverageValueMeter, target: loss}
"""

# ---- presets


def test_presets_compose_by_plus_in_their_order():
    dashboard = load("loss+MSE")
    assert names(dashboard) == (["loss", "mse"], ["train_loss", "test_loss", "train_mse", "test_mse"])
    assert [meter.target for meter in dashboard.meters] == ["loss", "loss", "mse", "mse"]


@pytest.mark.parametrize("expression", ["loss+mse", " Loss + m s e ", "LOSS+MSE+loss", "loss+mse+MSE"])
def test_case_and_spaces_are_ignored_and_repeats_dropped(expression):
    assert load(expression) == load("loss+mse")


def test_an_unknown_preset_names_the_nearest():
    assert problems_of("loss+MES") == [(0, "", "unknown preset 'mes'; did you mean 'mse'?")]


@pytest.mark.parametrize("expression", ["", " ", "+"])
def test_an_empty_expression_is_refused(expression):
    assert "empty string" in problems_of(expression)[0][2]


def test_phases_and_settings_come_as_overrides():
    dashboard = load("loss", overrides={"phases": ["train", "val"], "env": "mine"})
    assert names(dashboard)[1] == ["train_loss", "val_loss"]
    assert (dashboard.env, dashboard.phases) == ("mine", ("train", "val"))
    assert names(load("loss", overrides={"phases": []}))[1] == ["loss"]


def test_users_presets_come_first(folder, monkeypatch):
    for name in ("one", "two"):
        (folder / name).mkdir()
    (folder / "one/Mine.yaml").write_text("extends: loss\nplots: {loss: {opts: {ytype: log}}}")
    (folder / "two/mine.yaml").write_text("plots: {never: {}}")
    (folder / "two/other.yml").write_text("plots: {other: {}}")
    monkeypatch.setenv("FLEXLOGGER_PRESETS", os.pathsep.join(["one", "missing", "two"]))
    dashboard = load("MINE+other")
    assert names(dashboard)[0] == ["loss", "other"]
    assert dashboard.plots[0].opts["ytype"] == "log"
    assert names(load("other", presets_dirs=[folder / "two"]))[0] == ["other"]


# ---- files and extends


def test_a_file_extends_presets_and_files_relative_to_itself(folder):
    (folder / "sub").mkdir()
    (folder / "sub/base.yaml").write_text(LOSS)
    (folder / "sub/mid.yaml").write_text("extends: [base.yaml, mse]")
    (folder / "top.yaml").write_text("extends: sub/mid.yaml+lr\nenv: x")
    assert names(load("top.yaml"))[0] == ["loss", "mse", "lr"]
    assert names(load(folder / "top.yaml")) == names(load("top.yaml"))


def test_order_is_extends_from_left_to_right_then_the_file_then_arguments(folder):
    for name in "abc":
        (folder / f"{name}.yaml").write_text(f"env: {name}\nuid: {name}\nproject: {name}\n")
    (folder / "top.yaml").write_text("extends: [a.yaml, b.yaml, c.yaml]\nuid: top\nproject: top\n")
    dashboard = load("top.yaml", overrides={"project": "argument"})
    assert (dashboard.env, dashboard.uid, dashboard.project) == ("c", "top", "argument")


def test_a_file_reached_twice_is_merged_once_where_it_first_stands(folder):
    (folder / "base.yaml").write_text("env: base")
    (folder / "a.yaml").write_text("extends: base.yaml\nenv: a")
    (folder / "b.yaml").write_text("extends: ./base.yaml")
    (folder / "top.yaml").write_text("extends: [a.yaml, b.yaml]")
    assert load("top.yaml").env == "a"


def test_a_cycle_is_refused_where_it_closes(folder):
    (folder / "a.yaml").write_text("env: a\nextends: b.yaml")
    (folder / "b.yaml").write_text("extends:\n  - a.yaml")
    with pytest.raises(ConfigError) as caught:
        load("a.yaml")
    (problem,) = caught.value.problems
    assert (str(problem.place), problem.path) == ("b.yaml:2:5", "extends[0]")
    assert "a cycle: a.yaml extends b.yaml extends a.yaml" in problem.message


def test_a_dict_extends_too_and_so_do_arguments(folder):
    assert names(load({"extends": "loss+mse"})) == names(load("loss+mse"))
    assert names(load("loss", overrides={"extends": ["mse"]}))[0] == ["loss", "mse"]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("extends: nope", "extends", "unknown preset 'nope'"),
        ("extends: [loss, 5]", "extends[1]", "but got 5"),
        ("extends: {a: b}", "extends", "but got a list or mapping"),
        ("extends: no/such.yaml", "extends", "No such file"),
        ("extends: .yaml", "extends", "expected a YAML file, but this is a folder"),
    ],
)
def test_what_cannot_be_extended_is_refused_at_its_place(folder, text, path, words):
    (folder / ".yaml").mkdir()
    (folder / "top.yaml").write_text(text)
    ((line, where, message),) = problems_of("top.yaml")
    assert (line, where) == (1, path)
    assert words in message


def test_names_are_not_missed_where_a_part_could_not_be_read(folder):
    (folder / "top.yaml").write_text("extends: nope\nmeters: {m: {type: MSEMeter, target: there}}\nport: 0")
    assert [p[1] for p in problems_of("top.yaml")] == ["extends", "port"]


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.yaml")
    assert "this is no file" in problems_of("pipe.yaml")[0][2]


@pytest.mark.parametrize("source", ["missing.yaml", "bad\0name.yaml"])
def test_a_file_that_is_not_there_is_one_clear_line(folder, source):
    assert "cannot read this file" in problems_of(source)[0][2]


def test_an_error_points_into_the_file_the_value_came_from(folder):
    (folder / "base.yaml").write_text("plots:\n  loss: {type: lime}\n")
    (folder / "top.yaml").write_text("extends: base.yaml\nplots: {loss: {opts: {ytype: log}}}\n")
    with pytest.raises(ConfigError) as caught:
        load("top.yaml")
    assert str(caught.value) == "base.yaml:2:16: plots.loss.type: unknown plot type 'lime'; did you mean 'line'?"


def test_all_problems_of_a_file_come_at_once_in_its_order(folder):
    (folder / "top.yaml").write_text("envv: x\nport: many\nplots: {p: {type: lime}, q: {opts: {ylable: y}}}\nport: 1\n")
    assert [(line, path) for line, path, _ in problems_of("top.yaml")] == [
        (1, "envv"),
        (2, "port"),
        (3, "plots.p.type"),
        (3, "plots.q.opts.ylable"),
        (4, "port"),
    ]


def test_null_deletes_inherited_plots_and_meters(folder):
    (folder / "top.yaml").write_text('extends: loss+mse\nplots: {mse: null}\nmeters: {"{phase}_mse": null}')
    assert names(load("top.yaml")) == names(load("loss"))


def test_a_dict_is_what_its_yaml_is(folder):
    declared = {
        "plots": {"loss": {"type": "line", "opts": {"ytype": "log"}}},
        "meters": {"{phase}_loss": {"type": "AverageValueMeter", "target": "loss"}},
        "env": "x",
    }
    (folder / "top.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(declared)))
    from_yaml, from_dict = load("top.yaml"), load(declared)
    assert from_yaml.plots == from_dict.plots
    assert names(from_yaml) == names(from_dict)
    assert load(OmegaConf.create(declared)) == from_dict


# ---- environment variables and secrets


def test_environment_variables_are_written_out_in_strings(monkeypatch):
    monkeypatch.setenv("FL_HOST", "example.org")
    plots = {"p": {"type": "line", "opts": {"title": "${env:FL_HOST}"}}}
    dashboard = load({"server": "http://${env:FL_HOST}", "plots": plots})
    assert dashboard.server == "http://example.org"
    assert type(dashboard.server) is str
    assert type(dashboard.plots[0].opts["title"]) is str


def test_a_variable_that_is_not_set_is_a_problem_unless_overridden(monkeypatch):
    monkeypatch.delenv("FL_NOPE", raising=False)
    assert problems_of({"token": "${env:FL_NOPE}"}) == [
        (0, "token", "environment variable 'FL_NOPE' is not set; set it, or write the value here")
    ]
    assert load({"token": "${env:FL_NOPE}"}, overrides={"token": "t"}).token == "t"


def test_secrets_show_neither_in_messages_nor_in_repr(monkeypatch):
    monkeypatch.setenv("FL_SECRET", "hunter2")
    secret = "${env:FL_SECRET}"
    display = {"color": secret, "dash": secret}
    wrong = {
        "port": secret,
        "plots": {"p": {"type": secret, "x": secret, "opts": {"env": secret + "/"}}},
        "meters": {"m": {"type": secret, "target": secret, "unit": secret, "display": display}},
        "sinks": [secret, {"visdom": {"port": secret}}],
        "layout": {"order": [secret]},
    }
    with pytest.raises(ConfigError) as caught:
        load(wrong)
    assert "hunter2" not in str(caught.value)
    assert len(caught.value.problems) >= 10
    assert "hunter2" not in str(problems_of({"phases": secret}))
    good = load({"token": secret, "server": "http://me:hunter2@example.org", "sinks": [{"visdom": {"token": secret}}]})
    assert good.token == "hunter2"
    assert good.sinks[0].opts["token"] == "hunter2"
    assert "hunter2" not in repr(good)


@pytest.mark.parametrize(("source", "came"), [(["loss"], "a list"), (3, "3"), (None, "null")])
def test_what_is_no_declaration_is_refused(source, came):
    with pytest.raises(ConfigError) as refused:
        load(source)
    assert str(refused.value).endswith(f"or a mapping, but got {came}")
