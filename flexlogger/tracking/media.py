"""What a run logs besides numbers: images, histograms, HTML. Each is read when it is made and never changes after."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.histograms import BINS
from flexlogger.meters.histograms import histogram as count_into_bins
from flexlogger.meters.tensors import as_tensor, widest
from flexlogger.readback import copy_to_host, to_array
from flexlogger.records import Datum
from flexlogger.runs.format import utf8
from flexlogger.tracking import pictures

MAX_BINS = 512
DOCTYPE = "<!doctype html>"
"""What a text begins with that is HTML to show, not text to show as it is written."""


@runtime_checkable
class Loggable(Protocol):
    """What knows how to travel: everything of this module, tables and charts.

    Where it has `nbytes`, that is about what it holds in memory. Where it has `copy`, it may still change, and whoever
    logs it copies it.
    """

    def to_datum(self, name: str) -> Datum:
        """Return the value as it is now, called `name`. May encode, and may wait for a device: whoever logs it calls
        this in another thread than training's."""


class Image:
    """One picture.

    `data` is an array (H, W) or (H, W, 1, 3 or 4), a tensor (H, W) or (1, 3 or 4, H, W) on any device, a picture of
    Pillow's, a figure of matplotlib's (or matplotlib.pyplot), or the path of a file. Floats are taken as 0 to 1 and
    bytes as they are; what lies outside is stretched from its least to its largest value (see
    `flexlogger.meters.pixels`). `caption` stands below the picture. `mode` makes it grey (L), coloured (RGB) or
    coloured with opacity (RGBA).

    Nothing here waits for a device. Raises ValueRefusedError for what is no picture.

    >>> Image(np.zeros((20, 30)), caption="a cat").to_datum("sample").value.shape
    (20, 30)
    """

    def __init__(self, data: Any, caption: str | None = None, mode: str | None = None) -> None:
        self.caption = utf8(caption or "")
        self._mode = pictures.checked_mode(mode)
        self._host = _Host(pictures.pixels_of(data))
        self.nbytes = self._host.nbytes

    def pixels(self) -> np.ndarray[Any, Any]:
        """Return (H, W) or (H, W, 3 or 4) uint8; waits for the device that the picture is on."""
        (pixels,) = self._host.arrays()
        return pictures.converted(pixels, self._mode)

    def to_datum(self, name: str) -> Datum:
        """Return it as kind image."""
        return Datum(name, "image", self.pixels(), (self.caption,) if self.caption else ())

    def __repr__(self) -> str:
        return f"Image({'x'.join(map(str, self._host.shape))}{f', {self.caption!r}' if self.caption else ''})"


class Images:
    """Several pictures as one grid, their captions over them; the smaller ones stand in the middle of their place.

    >>> Images([Image(np.zeros((2, 4))), Image(np.zeros((3, 3, 3)))]).to_datum("samples").value.shape
    (2, 3, 4, 3)
    """

    def __init__(self, images: Sequence[Image]) -> None:
        if not images:
            raise ValueRefusedError("Images: expected at least one Image, but got none")
        self._images = tuple(images)
        self.nbytes = sum(image.nbytes for image in images)

    def to_datum(self, name: str) -> Datum:
        """Return them as kind images."""
        captions = tuple(image.caption for image in self._images)
        return Datum(
            name, "images", pictures.stacked([i.pixels() for i in self._images]), captions if any(captions) else ()
        )


class Histogram:
    """How often values fall into each of `num_bins` (1 to 512) equal bins between their extremes.

    `sequence` is any array, tensor or (nested) list of numbers; those that are not finite are left out, and their
    number stands beside the histogram. Or bring counts and edges, as numpy.histogram returns them, in `np_histogram`.

    Nothing here waits for a device. Raises ValueRefusedError.

    >>> Histogram([0, 1, 1, 4, float("nan")], num_bins=2).to_datum("h")
    Datum(name='h', kind='histogram', value=array([[0., 2., 4.],
           [3., 1., 0.]]), captions=('1 not finite',))
    """

    def __init__(self, sequence: Any = None, np_histogram: tuple[Any, Any] | None = None, num_bins: int = BINS) -> None:
        if (sequence is None) == (np_histogram is None):
            raise ValueRefusedError("Histogram: expected either values or np_histogram=(counts, edges)")
        if isinstance(num_bins, bool) or not isinstance(num_bins, int) or not 1 <= num_bins <= MAX_BINS:
            raise ValueRefusedError(f"Histogram: num_bins: expected 1 to {MAX_BINS}, but got {num_bins!r}")
        if np_histogram is not None:
            self._host = _Host(torch.from_numpy(_counted(*np_histogram)), torch.zeros(()))
            return
        values = as_tensor(sequence, "Histogram")
        exact = values if values.is_floating_point() else values.to(widest(values.device))
        self._host = _Host(count_into_bins(exact, num_bins), (~exact.isfinite()).sum())

    def to_datum(self, name: str) -> Datum:
        """Return it as kind histogram."""
        bins, left_out = self._host.arrays()
        return Datum(name, "histogram", bins, (f"{int(left_out):,} not finite",) if left_out else ())

    def __str__(self) -> str:
        (edges, counts), _ = self._host.arrays()
        return f"{counts.sum():.15g} values from {edges[0]:.4g} to {edges[-1]:.4g}"


class Html:
    """A piece of HTML, or a whole page: a string, an open file, or the path of a file.

    A string is a path where it ends in .html or .htm and such a file exists. The dashboard shows it in a frame of its
    own in which no script runs, no form is sent and nothing is fetched from elsewhere; styles and pictures that are
    part of it show.

    >>> Html("<b>done</b>").to_datum("note").value
    '<!doctype html><b>done</b>'
    """

    def __init__(self, data: Any) -> None:
        self.html = utf8(_read(data))
        self.nbytes = len(self.html)

    def to_datum(self, name: str) -> Datum:
        """Return it as kind text, beginning with what tells HTML from other text."""
        marked = self.html.lstrip().lower().startswith(DOCTYPE)
        return Datum(name, "text", self.html.lstrip() if marked else DOCTYPE + self.html)

    def __repr__(self) -> str:
        return f"Html({len(self.html):,} characters)"


def loggable(value: Any) -> Loggable | None:
    """Return what knows how to travel: the value itself, or a grid of a list of images; None for anything else.

    >>> loggable([1, 2]) is None
    True
    """
    if isinstance(value, list | tuple) and value and all(isinstance(entry, Image) for entry in value):
        return Images(value)
    return value if isinstance(value, Loggable) and not isinstance(value, type) else None


class _Host:
    """Own tensors on their way to the host; `arrays` waits until they are there."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self.shape = tuple(tensors[0].shape)
        self.nbytes = sum(tensor.nbytes for tensor in tensors)
        self._copied = [copy_to_host([tensor]) for tensor in tensors]

    def arrays(self) -> list[np.ndarray[Any, Any]]:
        """Return read-only copies."""
        events: list[Any] = [copied.event for copied in self._copied if copied.event is not None]
        for event in events:
            event.synchronize()
        return [to_array(copied.hosts[0]) for copied in self._copied]


def _counted(counts: Any, edges: Any) -> np.ndarray[Any, Any]:
    """Check counts and edges and put them together as they travel."""
    counts, edges = (np.asarray(part, np.float64) for part in (counts, edges))
    if counts.ndim != 1 or edges.shape != (len(counts) + 1,) or not 1 <= len(counts) <= MAX_BINS:
        expected = f"expected (counts, edges) with one more edge than counts, at most {MAX_BINS}"
        raise ValueRefusedError(f"Histogram: np_histogram: {expected}, but got shapes {counts.shape}, {edges.shape}")
    if not np.isfinite(counts).all() or not np.isfinite(edges).all() or not (np.diff(edges) >= 0).all():
        raise ValueRefusedError("Histogram: np_histogram: expected finite counts, and finite edges that do not descend")
    return np.stack([edges, np.append(counts, 0.0)])


def _read(data: Any) -> str:
    if hasattr(data, "read"):
        data = data.read()
        return data.decode(errors="replace") if isinstance(data, bytes) else str(data)
    if isinstance(data, str) and not (data.lower().endswith((".html", ".htm")) and os.path.isfile(data)):
        return data
    if not isinstance(data, str | os.PathLike):
        raise ValueRefusedError(f"Html: expected a string, a path or an open file, but got a {type(data).__name__}")
    try:
        return Path(data).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueRefusedError(f"Html: {data} cannot be read ({error.strerror or error})") from error
