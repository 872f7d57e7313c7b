from __future__ import annotations

import json
from pathlib import Path

import pytest

from flexlogger.cli import COMMANDS, main
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import post
from tests.servers import RunFlexlogger


def out(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "Usage:" in out(capsys)


@pytest.mark.parametrize(("command", "name"), [("meters", "ConfusionMeter"), ("plots", "heatmap"), ("presets", "loss")])
def test_catalogs_list_and_explain(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    assert name in out(capsys)
    assert main([command, name]) == 0
    assert name in out(capsys)
    assert main([command, "--json"]) == 0
    assert len(json.loads(out(capsys))) > 5
    assert main([command, name, "--json"]) == 0
    assert isinstance(json.loads(out(capsys)), dict)


@pytest.mark.parametrize(("command", "near"), [("meters", "AverageValueMeter"), ("plots", "line"), ("presets", "loss")])
def test_an_unknown_name_is_one_line_with_the_nearest(
    command: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, near[:-1] + "x"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert f"did you mean {near!r}?" in error


def test_check_says_what_is_wrong_and_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("plots:\n  loss: {type: lime}\n  acc: {kind: line}\n")
    assert main(["check", str(path)]) == 1
    lines = out(capsys).splitlines()
    assert lines[0].startswith(f"{path}:2:")
    assert lines[1].startswith(f"{path}:3:")
    assert main(["check", str(path), "--json"]) == 1
    assert [problem["place"]["line"] for problem in json.loads(out(capsys))] == [2, 3]
    assert main(["check", "loss+acc", "--json"]) == 0
    assert [meter["name"] for meter in json.loads(out(capsys))["meters"]][:2] == ["train_loss", "test_loss"]


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.yaml"]) == 1
    assert len(out(capsys).splitlines()) == 1


@pytest.mark.parametrize("config", ["classification", "regression", "segmentation", "language_model", "gan", "digits"])
def test_every_whole_dashboard_is_drawn_from_made_up_data(
    config: str, server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", config, "--demo", "--port", str(server.port), "--server", "127.0.0.1"]) == 0
    assert "drawn from made-up data" in out(capsys)


def test_every_preset_is_drawn_from_made_up_data(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    from flexlogger import preset_names

    for name in preset_names():
        assert main(["check", name, "--demo", "--port", str(server.port), "--server", "127.0.0.1"]) == 0, name
        assert "check-demo" in out(capsys)
    assert "check-demo" in json.loads(post(server.url, "/env_state", {}))


def test_check_demo_without_a_server_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "loss", "--demo", "--port", "1"]) == 1
    assert "no dashboard server answers" in capsys.readouterr().err


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(out(capsys))["$schema"].endswith("2020-12/schema")


def test_init_writes_a_config_that_passes_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["init", str(path), "--like", "regression"]) == 0
    assert main(["check", str(path)]) == 0
    text = path.read_text()
    assert main(["init", str(path)]) == 1
    assert path.read_text() == text
    assert main(["init", str(path), "--force"]) == 0
    assert path.read_text() != text
    assert main(["init", str(tmp_path / "x.yaml"), "--like", "regresion"]) == 1
    assert "did you mean 'regression'" in capsys.readouterr().err


def test_the_demo_trains_draws_and_ends(run_flexlogger: RunFlexlogger, tmp_path: Path) -> None:
    done = run_flexlogger("demo", "--seconds", "3", "--port", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == lines[-1]
    assert lines[0].startswith("dashboard: http://127.0.0.1:")
    assert "test accuracy" in done.stdout
    assert done.stderr == ""
