"""DataParallel over several devices, as far as a machine without them can show it."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import nn


def copied(module: Any) -> Any:
    """A copy as torch makes it, with the parameters of what it copies."""
    replica = module._replicate_for_data_parallel()
    for name, parameter in module._parameters.items():
        setattr(replica, name, parameter)
    for name, child in module._modules.items():
        setattr(replica, name, copied(child))
    return replica


class OnSeveral(nn.DataParallel[Any]):
    """torch's own forward over two devices, or so many, all of which are the CPU."""

    def __init__(self, module: nn.Module, devices: int = 2) -> None:
        super().__init__(module)
        self.device_ids, self.output_device, self.dim = list(range(devices)), 0, 0
        self.src_device_obj = torch.device("cpu")

    def scatter(self, inputs: Any, kwargs: Any, device_ids: Any) -> Any:
        parts = inputs[0].chunk(len(device_ids))
        return [(part,) for part in parts], [{} for _ in parts]

    def replicate(self, module: Any, device_ids: Any) -> Any:
        return [copied(module) for _ in device_ids]

    def parallel_apply(self, replicas: Any, inputs: Any, kwargs: Any) -> Any:
        outputs: dict[int, Any] = {}
        grad = torch.is_grad_enabled()

        def work(at: int) -> None:
            with torch.set_grad_enabled(grad):
                outputs[at] = replicas[at](*inputs[at])

        threads = [threading.Thread(target=work, args=(at,)) for at in range(len(replicas))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [outputs[at] for at in range(len(replicas))]

    def gather(self, outputs: Any, output_device: Any) -> Any:
        return torch.cat(outputs)
