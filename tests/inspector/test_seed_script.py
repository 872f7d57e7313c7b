"""The script in the original's README, run as a user runs it: a file, a process of its own, a folder of videos."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inspector.test_recorder import decoded

ROOT = Path(__file__).parents[2]

# torchvision's own AlexNet, which the script asks for by this name: the same layers under the same names.
TORCHVISION = """
from types import SimpleNamespace
from torch import nn

class AlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True),
            nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 1000),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))

models = SimpleNamespace(alexnet=AlexNet)
"""

SEED = """
# main.py
# ! pip install torchvision
import torch
from torchvision import models
from flexlogger import ParallelHandler, DataRecorder

def main():

    model = models.alexnet()

    #----------------------------------
    # Step 1: Define how to process the passed data
    #----------------------------------
    # Callback functions are used to process data passed from the main process to child processes.
    # DataRecorder is an example
    dr = DataRecorder((640,480), 20., 100, 'output')

    #----------------------------------
    # Step 2: Define a ParallelHandler
    #----------------------------------
    # A ParallelHandler manages all child processes.
    ph = ParallelHandler(callback_onrun=dr.tensor_plot2D, callback_onclosing=dr.flush, frequency=20.0, timeout=30.0)

    #----------------------------------
    # Step 3: Attach layer/layers or full model
    #----------------------------------
    ph.track_model(-1, {'model': model})
    ph.track_layer(-1, {'classifier0_': model.classifier[0], 'classifier3_': model.classifier[3], 'classifier6_': model.classifier[6]})
"""  # noqa: E501  # word for word, but for the class whose name has an r too many

TRAINING = """
    for step in range(21):
        model(torch.randn(2, 3, 63, 63)).square().mean().backward()
        model.zero_grad()
    again()

def again():
    ph = ParallelHandler()
    print(ph.is_alive(), [status["sent"] for status in ph.status().values()])
"""


@pytest.mark.parametrize("ending", ["main()", "if __name__ == '__main__':\n    main()"], ids=["bare", "guarded"])
def test_the_seeds_script_leaves_its_videos_without_a_stop(tmp_path: Path, ending: str) -> None:
    (tmp_path / "torchvision.py").write_text(TORCHVISION)
    script = tmp_path / "main.py"
    script.write_text(f"{SEED}{TRAINING}\n{ending}\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "True [4, 12]\n"  # once, in the program: the children do not run the script again
    keys = [("model", 0), ("classifier0_", 1), ("classifier3_", 1), ("classifier6_", 1)]
    expected = {f"{key}.{source}_{number}_0.mp4" for key, number in keys for source in ("outputs", "grad_out")}
    assert {path.name for path in (tmp_path / "output").iterdir()} == expected
    for name in expected:
        frames = decoded(tmp_path / "output" / name)
        assert [frame.shape for frame in frames] == [(480, 640, 3)] * 2
