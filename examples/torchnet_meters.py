"""torchnet's own meters on a dashboard, and its MeterLogger loop ported: one logger, one add, one log.

pip install 'flexlogger[torchnet]'
flexlogger server &
python examples/torchnet_meters.py
"""

import torch
import torchnet

from flexlogger import FlexLogger

plots = {"loss": {"type": "line"}, "error": {"type": "line"}}
meters = {
    "train_loss": {"type": torchnet.meter.AverageValueMeter, "target": "loss"},  # a class of torchnet's
    "test_loss": {"type": torchnet.meter.AverageValueMeter(), "target": "loss"},  # an object
    "test_error": {"type": "torchnet.meter.ClassErrorMeter", "opts": {"topk": [1]}, "target": "error"},  # a path
    "train_error": {"type": "ClassErrorMeter", "target": "error"},  # ours of the same name: the same percent, faster
}

torch.manual_seed(0)
with FlexLogger(plots, meters, env="torchnet") as stat:
    for epoch in range(5):
        for phase in ("train", "test"):
            for _ in range(10):
                target = torch.randint(3, (16,))
                output = torch.randn(16, 3) + 2 * epoch * torch.nn.functional.one_hot(target, 3)
                loss = torch.nn.functional.cross_entropy(output, target).item()
                stat.add({f"{phase}_loss": loss, f"{phase}_error": [output, target]})
        stat.log(epoch)
    print(stat)
