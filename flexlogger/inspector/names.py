"""The words of the inspector that a config may hold. Knows no torch, and nothing of ours."""

from __future__ import annotations

SOURCES = ("outputs", "grad_out", "weights")
"""What can be looked at: what a layer returns, the gradient that comes back for it, its parameter called weight."""
VIEWS = ("plot2D", "histogram", "pca")
"""What DataRecorder draws; each is the method `tensor_<view>`."""
CODECS = ("h264", "vp8")
SMALLEST, LARGEST = 64, 4096
"""The sides of a frame in pixels."""
