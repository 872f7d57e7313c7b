from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flexlogger.runs import surroundings as module
from flexlogger.runs.surroundings import git_state, surroundings


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("pass\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_commit_branch_and_changes_of_the_repository(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "notes.txt").write_text("not tracked")
    (repository / "deep").mkdir()
    assert git_state(repository / "deep") == {"commit": commit, "branch": "trunk", "dirty": False}
    (repository / "train.py").write_text("changed\n")
    assert git_state(repository) == {"commit": commit, "branch": "trunk", "dirty": True}
    git(repository, "checkout", "-q", "--detach")
    assert git_state(repository) == {"commit": commit, "branch": None, "dirty": True}


def test_there_is_nothing_to_tell_before_the_first_commit_or_outside_a_repository(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "absent") is None


def test_there_is_nothing_to_tell_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert git_state(repository) is None


def test_a_git_that_hangs_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = repository / "bin" / "git"
    hanging.parent.mkdir()
    hanging.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(hanging.parent))
    monkeypatch.setattr(module, "GIT_S", 0.1)
    assert git_state(repository) is None


def test_what_a_card_says_of_this_process() -> None:
    told = surroundings()
    assert told["pid"] == os.getpid()
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["libraries"]["numpy"] == sys.modules["numpy"].__version__
    assert told["libraries"]["flexlogger"]
    assert "tensorflow" not in told["libraries"]
    assert told["command"]
    assert told["host"]
    assert told["platform"]
