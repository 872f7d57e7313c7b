"""Whatever holds a picture, as 8-bit pixels."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.documents import document
from flexlogger.meters.pixels import CHANNELS, pixels
from flexlogger.meters.tensors import as_tensor
from flexlogger.plots.pixels import bytes_of, pillow
from flexlogger.readback import to_array

MODES = ("L", "RGB", "RGBA")
Pixels = np.ndarray[Any, Any]

_ARRAYS = "(H, W), (H, W, C) or a tensor (C, H, W), with C of 1, 3 or 4"


def pixels_of(data: Any) -> torch.Tensor:
    """Return an own copy as uint8 (H, W) or (H, W, 3 or 4), on the device it was on. Raises ValueRefusedError.

    Channels stand last in an array and first in a tensor, but where only the other end can hold them.

    >>> pixels_of(np.zeros((3, 5, 3))).shape, pixels_of(torch.zeros(3, 5, 3)).shape, pixels_of(np.eye(2)).tolist()
    (torch.Size([3, 5, 3]), torch.Size([5, 3, 3]), [[255, 0], [0, 255]])
    """
    if isinstance(data, str | os.PathLike):
        data = _opened(data)
    if hasattr(data, "convert") and hasattr(data, "getbands"):
        return torch.from_numpy(_of_pillow(data))
    figure = document(data.gcf() if isinstance(data, ModuleType) and hasattr(data, "gcf") else data, "image")
    if figure is not None:
        return torch.from_numpy(figure.value)
    tensor = as_tensor(data, "Image")
    flat = tensor.ndim == 2 and tensor.numel() > 0
    return pixels(tensor if flat else _channels_first(tensor, isinstance(data, torch.Tensor)), "image")


def _channels_first(tensor: torch.Tensor, usually: bool) -> torch.Tensor:
    first, last = (tensor.ndim == 3 and tensor.shape[end] in CHANNELS for end in (0, -1))
    if not (first or last) or not tensor.numel():
        many = "; a list of Images makes a grid" if tensor.ndim == 4 else ""
        raise ValueRefusedError(f"Image: expected {_ARRAYS}, but got shape {tuple(tensor.shape)}{many}")
    return tensor if (usually and first) or not last else tensor.movedim(-1, 0)


def _opened(path: str | os.PathLike[str]) -> Any:
    try:
        with pillow().open(path) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError) as error:  # Pillow's words for what is no picture
        why = getattr(error, "strerror", None) or "is no picture that Pillow can read"
        raise ValueRefusedError(f"Image: {os.fspath(path)}: {why}") from error


def _of_pillow(picture: Any) -> Pixels:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        return pixels(as_tensor(np.asarray(picture), "Image"), "image").numpy()
    if picture.mode not in MODES:
        clear = "A" in picture.getbands() or "transparency" in picture.info
        picture = picture.convert("L" if picture.mode == "1" else "RGBA" if clear else "RGB")
    return np.array(picture, np.uint8)


def checked_mode(mode: str | None) -> str | None:
    """Return `mode`; raise ValueRefusedError where it is none of ours."""
    if mode is not None and mode not in MODES:
        raise ValueRefusedError(f"Image: mode: expected one of {', '.join(MODES)}, but got {mode!r}")
    return mode


def converted(array: Pixels, mode: str | None) -> Pixels:
    """Return pixels in a mode of Pillow's: grey, coloured, or coloured with opacity."""
    return array if mode is None else to_array(np.asarray(pillow().fromarray(array).convert(mode)))


def stacked(images: Sequence[Pixels]) -> Pixels:
    """Return images as one array (N, H, W[, 3 or 4]), H and W those of the largest; what is left around one is white,
    or clear where one of them has opacity."""
    height, width = (max(image.shape[side] for image in images) for side in (0, 1))
    channels = max(image.shape[2] if image.ndim == 3 else 1 for image in images)
    canvas = np.full((len(images), height, width, channels), 255, np.uint8)
    if channels == 4:
        canvas[..., 3] = 0
    for place, image in zip(canvas, images, strict=True):
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        inside = place[top : top + image.shape[0], left : left + image.shape[1]]
        shown = image[:, :, None] if channels == 1 else bytes_of(image)
        inside[:, :, : shown.shape[2]] = shown
        inside[:, :, shown.shape[2] :] = 255
    return to_array(canvas[..., 0] if channels == 1 else canvas)


def to_uri(array: Pixels) -> str:
    """Encode pixels as a data URI of PNG."""
    out = io.BytesIO()
    pillow().fromarray(array).save(out, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def from_uri(uri: str) -> Pixels:
    """Decode a data URI of PNG. Raises ValueRefusedError."""
    head, _, encoded = uri.partition("base64,")
    try:
        if not head.startswith("data:image/"):
            raise ValueError("it is no data URI of an image")
        with pillow().open(io.BytesIO(base64.b64decode(encoded, validate=True))) as picture:
            return _of_pillow(picture)
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueRefusedError(f"Image: expected a data URI of a PNG, but it does not decode: {error}") from error
