"""Tensors of any range as 8-bit pixels, on their device."""

from __future__ import annotations

import torch

from flexlogger.meters.tensors import on_device
from flexlogger.records import Kind

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGB with opacity."""


def pixels(values: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Return uint8 pixels, channels last: (H, W[, 3 or 4]) for kind image, (N, H, W[, 3 or 4]) for kind images.

    Channels may come first or last; first wins where both are possible. uint8 is kept. Floats within [0, 1] are
    multiplied by 255, integers within [0, 255] are kept; any other image is stretched from its own least and largest
    finite value to 0 and 255. NaN becomes 0. Nothing waits for the device.

    >>> pixels(torch.tensor([[0.0, 0.5], [1.0, 1.0]]), "image").tolist()
    [[0, 128], [255, 255]]
    >>> pixels(torch.tensor([[-2.0, 0.0, 2.0]]), "image").tolist()
    [[0, 128, 255]]
    """
    batch = values if kind == "images" else values.unsqueeze(0)
    if batch.ndim == 4:
        batch = batch.movedim(1, -1) if batch.shape[1] in CHANNELS else batch
        batch = batch.squeeze(-1) if batch.shape[-1] == 1 else batch
    batch = _to_bytes(batch).contiguous()
    return batch if kind == "images" else batch.squeeze(0)


def _to_bytes(batch: torch.Tensor) -> torch.Tensor:
    if batch.dtype == torch.uint8:
        return batch.clone()
    if batch.dtype == torch.bool:
        return batch.to(torch.uint8) * 255
    top = 1.0 if batch.is_floating_point() else 255.0
    batch = batch.float()
    if batch.numel() and not on_device(batch):
        least, largest = (extreme.item() for extreme in batch.aminmax())
        if least >= 0 and largest <= top:  # so nothing is NaN; most pictures, and looking costs no wait here
            return batch.mul(255 / top).round().to(torch.uint8)
    each = tuple(range(1, batch.ndim))
    finite = batch.isfinite()
    low = batch.masked_fill(~finite, torch.inf).amin(each, keepdim=True)
    high = batch.masked_fill(~finite, -torch.inf).amax(each, keepdim=True)
    within = (low >= 0) & (high <= top) | (low > high)
    low = torch.where(within, 0.0, low)
    span = torch.where(within, top, (high - low).clamp(min=torch.finfo(torch.float32).tiny))
    return ((batch - low) / span).nan_to_num(0.0, 1.0, 0.0).clamp(0, 1).mul(255).round().to(torch.uint8)
