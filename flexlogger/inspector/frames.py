"""Tensors as pictures: the same numbers give the same pixels, on every machine and in every process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexlogger.inspector.canvas import BLUE, EDGE, INK, MUTED, VIRIDIS, WARN, Box, Canvas, Pixels, ends, short

Numbers = NDArray[np.floating[Any]]

BINS = 50
ROWS = 512
"""A PCA takes at most so many rows, at equal distances."""
MOST = 2**20
_QUIET = np.errstate(all="ignore")
"""Around what may overflow: a picture of odd numbers is drawn as well as it can be."""


def numbers_of(tensor: Any) -> Numbers:
    """A tensor or array as floats; complex ones as their magnitude.

    >>> numbers_of(np.array([3 + 4j, 0])), numbers_of(np.array([True, False]))
    (array([5., 0.]), array([1., 0.], dtype=float32))
    """
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        tensor = tensor.numpy()
    array = np.asarray(tensor)
    if array.dtype.kind == "c":
        array = np.abs(array)
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2:
        return array.astype(np.float64)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def is_matrix(numbers: Numbers) -> bool:
    """Whether it is drawn as a heat map: H x W and 1 x H x W.

    >>> [is_matrix(np.zeros(shape)) for shape in ((3, 4), (1, 3, 4), (2, 3, 4), (4,))]
    [True, True, False, False]
    """
    return numbers.ndim == 2 or (numbers.ndim == 3 and numbers.shape[0] == 1)


# ---- heat map


@_QUIET
def heat_map(numbers: Numbers, size: tuple[int, int], title: str, told: str) -> Pixels:
    """Draw an (H, W) or (1, H, W) array as a picture of `size` (width, height): row 0 on top, low values dark.

    Where there is not a pixel for each entry, a pixel is the mean of those it stands for. What is not finite has a
    colour of its own.
    """
    matrix = numbers.reshape(numbers.shape[-2:])
    canvas = _titled(numbers, size, title, told)
    box = canvas.inside
    low, high = _range(matrix)
    if matrix.size:
        colours = coloured(averaged(matrix, box.height, box.width), low, high)
        canvas.paste(box, enlarged(colours, box.height, box.width))
    canvas.frame(box)
    bar = Box(box.right + canvas.letter // 2, box.top, box.right + canvas.letter, box.bottom)
    ramp = np.linspace(high, low, bar.height)[:, None] if high > low else np.full((bar.height, 1), low)
    canvas.paste(bar, coloured(np.repeat(ramp, bar.width, axis=1), low, high))
    least, largest = ends(low, high)
    room = size[0] - bar.right - 6
    canvas.text(bar.right + 4, bar.top, largest, MUTED, room=room)
    canvas.text(bar.right + 4, bar.bottom, least, MUTED, "ld", room)
    if matrix.size:
        rows, columns = numbers.shape[-2:]
        said = f"columns 0 to {columns - 1} across, rows 0 to {rows - 1} from top to bottom"
        canvas.text((box.left + box.right) / 2, box.bottom + 3, said, MUTED, "ma", box.width)
    return canvas.finish()


def averaged(matrix: Numbers, height: int, width: int) -> Numbers:
    """A matrix with at most `height` rows and `width` columns: means of those that there are too many of.

    >>> averaged(np.array([[1.0, 3.0], [5.0, 7.0]]), 1, 4).tolist()
    [[3.0, 5.0]]
    """
    for axis, most in ((0, height), (1, width)):
        have = matrix.shape[axis]
        if have > most:
            edges = np.arange(most + 1) * have // most
            sums = np.add.reduceat(matrix, edges[:-1], axis, dtype=np.float64)
            matrix = sums / np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
    return matrix


def enlarged(picture: Pixels, height: int, width: int) -> Pixels:
    """A picture as (height, width, 3): each pixel a rectangle, as even as whole pixels allow."""
    rows, columns = (np.arange(to) * have // to for to, have in zip((height, width), picture.shape[:2], strict=False))
    larger: Pixels = picture[rows][:, columns]
    return larger


@_QUIET
def coloured(matrix: Numbers, low: float, high: float) -> Pixels:
    """The colours of a matrix's entries on the scale from `low` to `high`.

    >>> coloured(np.array([[0.0, 1.0, np.nan]]), 0.0, 1.0)[0].tolist()
    [[68, 1, 84], [253, 231, 37], [194, 24, 91]]
    """
    finite = np.isfinite(matrix)
    share = (matrix.astype(np.float64) - low) / (high - low) if high > low else np.full(matrix.shape, 0.5)
    index = np.clip(np.nan_to_num(share) * 255 + 0.5, 0, 255).astype(np.uint8)
    colours: Pixels = VIRIDIS[index]
    colours[~finite] = WARN
    return colours


# ---- histogram


@_QUIET
def histogram(numbers: Numbers, size: tuple[int, int], title: str, told: str) -> Pixels:
    """Draw how often values occur in an array of any shape: `BINS` equal steps from the least to the largest.

    Of more than `MOST` entries so many are counted, at equal distances.
    """
    canvas = _titled(numbers, size, title, told)
    box = canvas.inside
    low, high = _range(numbers)
    step = -(-numbers.size // MOST) | 1  # an odd distance meets all channels of a power of two
    numbers = numbers.reshape(-1)[::step]
    counts = counted(numbers, low, high)
    canvas.frame(box)
    tallest = max(1, int(counts.max()))
    for at, count in enumerate(counts.tolist()):
        left, right = (box.left + 1 + edge * (box.width - 2) // BINS for edge in (at, at + 1))
        top = box.bottom - 1 - round(count / tallest * (box.height - 4))
        canvas.fill(Box(left, top, max(left + 1, right - 1), box.bottom - 1), BLUE)
    canvas.text(box.right + 4, box.top, f"{tallest:,}", MUTED)
    canvas.text(box.right + 4, box.bottom, "0", MUTED, "ld")
    least, largest = ends(low, high)
    canvas.text(box.left, box.bottom + 3, least, MUTED)
    canvas.text(box.right, box.bottom + 3, largest, MUTED, "ra")
    finite = numbers[np.isfinite(numbers)]
    if finite.size:
        spread = f"mean {short(finite.mean(dtype=np.float64))}   std {short(finite.std(dtype=np.float64))}"
        canvas.text((box.left + box.right) / 2, box.bottom + 3, spread, MUTED, "ma")
    return canvas.finish()


def counted(numbers: Numbers, low: float, high: float) -> NDArray[np.int64]:
    """How many finite entries lie in each of `BINS` equal steps from `low` to `high`, the last one closed.

    >>> counted(np.array([0.0, 0.0, 1.0, np.nan]), 0.0, 1.0)[[0, 25, 49]].tolist()
    [2, 0, 1]
    """
    part = numbers[np.isfinite(numbers)].astype(np.float64)
    scale = BINS / (high - low) if high > low else 0.0
    at = np.nan_to_num((part - low) * scale) if scale else np.full(part.shape, BINS // 2)
    return np.bincount(np.clip(at, 0, BINS - 1).astype(np.int64), minlength=BINS)


# ---- PCA


@_QUIET
def pca(numbers: Numbers, size: tuple[int, int], title: str, told: str) -> Pixels:
    """Draw the rows of an array (its first axis; a leading axis of one is left out) at their first two principal
    components. What cannot be: fewer than two rows, or entries that are not finite, is said in place of a picture."""
    canvas = _titled(numbers, size, title, told)
    box = canvas.inside
    canvas.frame(box)
    found = components(numbers)
    middle = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    if found is None:
        canvas.text(*middle, "PCA takes two rows of finite numbers", MUTED, "mm")
        return canvas.finish()
    scores, shares = found
    radius = max(1, canvas.letter // 6)
    reach = np.abs(scores).max() or 1.0
    room = np.array([box.width, box.height]) / 2 - 2 * radius - 2
    canvas.fill(Box(box.left, round(middle[1]), box.right, round(middle[1]) + 1), EDGE)
    canvas.fill(Box(round(middle[0]), box.top, round(middle[0]) + 1, box.bottom), EDGE)
    places = np.array(middle) + scores / reach * room * (1, -1)
    for x, y in places.round().astype(int).tolist():
        canvas.fill(Box(x - radius, y - radius, x + radius + 1, y + radius + 1), BLUE)
    said = f"across: PC 1 ({shares[0]:.0%})   up: PC 2 ({shares[1]:.0%})   to the edge: {short(float(reach))}"
    canvas.text(box.left, box.bottom + 3, said, MUTED, room=size[0] - box.left)
    return canvas.finish()


def components(numbers: Numbers) -> tuple[Numbers, tuple[float, float]] | None:
    """Scores (N, 2) of the first two principal components, and the share of the variance that each explains.

    Of each component the side is up on which its largest score lies.

    >>> scores, shares = components(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    >>> np.abs(scores[:, 0]).round(4).tolist(), round(shares[0], 4)
    ([1.4142, 0.0, 1.4142], 1.0)
    """
    if numbers.ndim > 2 and numbers.shape[0] == 1:
        numbers = numbers[0]
    if numbers.ndim < 2 or numbers.shape[0] < 2 or not numbers[0].size:
        return None
    rows = numbers[:: -(-numbers.shape[0] // ROWS)].reshape(-1, numbers[0].size).astype(np.float64)
    if not np.isfinite(rows).all():
        return None
    rows -= rows.mean(axis=0)
    # From the smaller of the two matrices of products: rows by rows, or features by features.
    if rows.shape[0] <= rows.shape[1]:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        scores = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    else:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        scores = rows @ vectors[:, ::-1][:, :2]
    scores = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
    largest = np.abs(scores).argmax(axis=0)
    scores *= np.where(scores[largest, [0, 1]] < 0, -1, 1)
    total = float(np.maximum(values, 0).sum()) or 1.0
    first, second = (float(np.square(scores[:, at]).sum()) / total for at in (0, 1))
    return scores, (first, second)


# ---- all of them


def _titled(numbers: Numbers, size: tuple[int, int], title: str, told: str) -> Canvas:
    canvas = Canvas(*size)
    edge, line = canvas.letter // 2, round(canvas.letter * 1.3)
    room = float(size[0] - 2 * edge)
    shape = " x ".join(map(str, numbers.shape)) or "one number"
    canvas.text(edge, edge + line, "   ".join(part for part in (told, shape) if part), MUTED, room=room)
    bad = numbers.size - int(np.count_nonzero(np.isfinite(numbers)))
    if bad:
        said = f"{bad:,} not finite"
        canvas.text(size[0] - edge, edge, said, WARN, "ra", room / 2)
        room -= min(room / 2, len(said) * canvas.letter * 0.6)
    canvas.text(edge, edge, title, INK, room=room)
    return canvas


def _range(numbers: Numbers) -> tuple[float, float]:
    if not numbers.size:
        return 0.0, 0.0
    low, high = float(numbers.min()), float(numbers.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = numbers[np.isfinite(numbers)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
