"""What is built is installed elsewhere and used from there: presets, command, page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.registry import make_registry

ROOT = Path(__file__).parent.parent.parent
SOURCES = ("flexlogger", "presets", "configs", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
SOURCES += ("constraints.txt", "Makefile")


def ignored(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("__pycache__", "static") or name.startswith(".static-")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that building does not touch the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


def build(tree: Path, out: Path, *what: str, **environment: str) -> str:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *what, str(tree)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def npm(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH with the tests' own npm first; the tree's lock asks for its packages."""
    programs, lock = make_registry(tmp_path_factory.mktemp("registry"))
    (tree / "flexlogger/server/assets.lock.json").write_text(lock)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def distributions(tree: Path, npm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an sdist, built where npm is."""
    out = tmp_path_factory.mktemp("dist")
    build(tree, out, "--sdist", "--wheel", PATH=npm)
    return out


def test_the_wheel_holds_what_it_should_and_no_more(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    presets = {f"flexlogger/presets/{path.name}" for path in (ROOT / "presets").glob("*.yaml")}
    configs = {f"flexlogger/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "flexlogger").rglob("*.py")}
    assert presets | configs | modules <= names
    assert {
        "flexlogger/py.typed",
        "flexlogger/server/assets.lock.json",
        "flexlogger/server/draw.js",
        "flexlogger/server/static/assets.digest",
        "flexlogger/server/static/js/1.js",
        "flexlogger/server/static/licenses/one.txt",
    } <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"flexlogger"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_can_be_built_again(distributions: Path, npm: str, tmp_path: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    build(unpacked, tmp_path / "again", "--wheel", PATH=npm)
    (first,), (again,) = distributions.glob("*.whl"), (tmp_path / "again").glob("*.whl")
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(first).namelist())


def test_without_npm_the_wheel_is_built_and_says_what_it_lacks(tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "build", ignore_errors=True)  # an earlier build's assets
    said = build(tree, tmp_path, "--wheel", PATH="/nowhere")
    assert "this wheel carries no dashboard assets: npm was not found on the PATH" in said
    (wheel,) = tmp_path.glob("*.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "/static/" in name]


@pytest.fixture(scope="module", params=["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def elsewhere(request: pytest.FixtureRequest, distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh environment with flexlogger installed; what it needs is borrowed from this one."""
    home = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    (packages,) = home.glob("lib/python*/site-packages")
    # A path from a .pth file is no site folder: our own editable install, itself a .pth file there, stays behind.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (distribution,) = distributions.glob(request.param)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--ignore-installed", str(distribution)], check=True, timeout=300)
    return home / "bin"


Run = Callable[..., str]


@pytest.fixture
def run(elsewhere: Path, tmp_path: Path) -> Run:
    def run(*command: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        ended = subprocess.run(
            [str(elsewhere / command[0]), *command[1:]], capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_presets_and_types_come_along(run: Run, elsewhere: Path) -> None:
    code = "import flexlogger, json; print(flexlogger.__file__); print(json.dumps(flexlogger.preset_names()))"
    file, names = run("python", "-c", code).splitlines()
    assert Path(file).is_relative_to(elsewhere.parent)
    assert {path.stem for path in (ROOT / "presets").glob("*.yaml")} <= set(json.loads(names))
    assert (Path(file).parent / "py.typed").exists()


def test_the_command_works(run: Run) -> None:
    assert "server" in run("flexlogger", "--help")
    assert run("flexlogger", "--version") == run("python", "-m", "flexlogger", "--version")


def test_a_server_starts(elsewhere: Path, tmp_path: Path) -> None:
    command = [
        str(elsewhere / "flexlogger"),
        "server",
        "--json",
        "--lifeline",
        "--port",
        "0",
        "--env-path",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/static/js/main.js", timeout=20) as page:
            assert page.status == 200
        process.stdin.close()
    assert process.returncode == 0
