"""The command itself: its list, its exit statuses, and that it stays quick."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from flexlogger.cli import COMMANDS, doctor
from flexlogger.server import assets
from tests.servers import RunFlexlogger


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = "import sys; from flexlogger.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in ended.stdout
        assert summary in ended.stdout
    for heavy in ("torch", "visdom", "numpy", "typer", "tornado", "rich"):
        assert f"'{heavy}'" not in ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_explains_itself(run_flexlogger: RunFlexlogger, name: str) -> None:
    assert importlib.util.find_spec(COMMANDS[name][0]), f"{name} is listed but not written"
    ended = run_flexlogger(name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"flexlogger {name}" in ended.stdout


def test_no_command_is_status_2_with_the_list(run_flexlogger: RunFlexlogger) -> None:
    ended = run_flexlogger()
    assert ended.returncode == 2
    assert "server" in ended.stdout


def test_a_slip_is_answered_with_the_nearest_name(run_flexlogger: RunFlexlogger) -> None:
    ended = run_flexlogger("docter")
    assert (ended.returncode, ended.stderr) == (2, "flexlogger: unknown command 'docter'; did you mean 'doctor'?\n")


def test_version(run_flexlogger: RunFlexlogger) -> None:
    assert run_flexlogger("--version").stdout == f"flexlogger {metadata.version('flexlogger')}\n"


def test_doctor_finds_this_installation_sound(run_flexlogger: RunFlexlogger) -> None:
    ended = run_flexlogger("doctor", "--json")
    findings = {finding["what"]: finding["state"] for finding in json.loads(ended.stdout)}
    assert ended.returncode == int("bad" in findings.values())
    for what in ("python", "torch", "visdom", "tornado", "runs"):
        assert findings[what] == "ok"


def state(what: str) -> str:
    return next(finding.state for finding in doctor.examine() if finding.what == what)


def test_doctor_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLEXLOGGER_DIR", str(tmp_path / "file" / "runs"))
    monkeypatch.setenv("FLEXLOGGER_PORT", "many")
    monkeypatch.setattr(assets, "STAMP", "never")
    assert [state(what) for what in ("runs", "port", "assets")] == ["bad"] * 3


def test_doctor_tells_an_old_package_from_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.5.1+cu121"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    found = {finding.what: finding for finding in doctor.examine()}
    assert (found["torch"].state, found["torch"].detail) == ("bad", "2.5.1+cu121; 2.6 or newer is expected")
    assert (found["visdom"].state, found["visdom"].detail) == ("bad", "not installed; 0.2.4 or newer is expected")
    assert found["torchnet"].state == "note"


@pytest.mark.parametrize(
    ("pip", "name"), [("23.2.1", "PIP_CONSTRAINT"), ("25.2", "PIP_CONSTRAINT"), ("25.3", "PIP_BUILD_CONSTRAINT")]
)
def test_the_build_constraint_joins_the_users_own(monkeypatch: pytest.MonkeyPatch, pip: str, name: str) -> None:
    monkeypatch.setattr(metadata, "version", {"pip": pip}.__getitem__)
    monkeypatch.setenv(name, "mine.txt")
    assert doctor._constrained(Path("build.txt"))[name] == "mine.txt build.txt"
