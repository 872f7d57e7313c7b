"""torchinstruments, as it comes: outputs and their gradients at every forward pass."""

from __future__ import annotations

import torchinstruments

from bench.contenders.twins import Twins


class Contender(Twins):
    def __init__(self, model: str, folder: str) -> None:
        super().__init__(model)
        torchinstruments.inject_observer(
            self.watched.model, output_dir=folder, sampler=torchinstruments.AlwaysSampler()
        )
