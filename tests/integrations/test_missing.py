"""Without its library an integration says what to install; watch needs none of them."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from flexlogger import ValueRefusedError

CODE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('lightning', 'ignite', 'transformers', 'hydra', 'omegaconf'):
            raise ModuleNotFoundError('No module named ' + repr(name), name=name)
sys.meta_path.insert(0, Refuse())
import importlib, flexlogger
flexlogger.watch
for name in ('lightning', 'ignite', 'transformers'):
    try:
        importlib.import_module('flexlogger.integrations.' + name)
    except flexlogger.MissingExtraError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def said() -> list[str]:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("place", "name", "library"),
    [(0, "lightning", "lightning"), (1, "ignite", "pytorch-ignite"), (2, "transformers", "transformers")],
)
def test_it_says_what_to_install(said: list[str], place: int, name: str, library: str) -> None:
    assert said[place] == (
        f"flexlogger.integrations.{name} needs {library}, which is not installed; "
        f"install it with: pip install 'flexlogger[{name}]'"
    )


@pytest.mark.parametrize("module", ["lightning.FlexLightningLogger", "transformers.FlexTrainerCallback"])
def test_a_word_for_checkpoints_that_is_none_is_refused(module: str) -> None:
    name, _, cls = module.partition(".")
    integration = getattr(importlib.import_module(f"flexlogger.integrations.{name}"), cls)
    with pytest.raises(ValueRefusedError, match="log_model: expected True, False or 'all', but got 'al'"):
        integration(log_model="al")
