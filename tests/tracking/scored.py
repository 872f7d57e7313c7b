"""What a classifier said, and the truth."""

from __future__ import annotations

import numpy as np

ANIMALS = ["cat", "dog", "bird"]


def scored(samples: int = 300, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a classifier that is often right; rounded, so that scores tie."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, samples)
    scores = random.random((samples, classes))
    scores[np.arange(samples), truth] += 0.4
    return truth, (scores / scores.sum(axis=1, keepdims=True)).round(2)
