"""The demo's training, a conv net on handwritten digits: without a dashboard, with two scalars, with all of it."""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from bench.driver import ROOT
from flexlogger import FlexLogger
from flexlogger.demo import digits, make_net, weights

CONFIG = ROOT / "configs" / "digits.yaml"


class Contender:
    """One process for all, so that they share memory, caches and threads; the logger rests while it is not used."""

    def __init__(self, folder: str, port: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self._x, self._y, self._test_x, self._test_y = digits()
        self._net = make_net()
        self._optimizer = torch.optim.AdamW(self._net.parameters(), lr=2e-3)
        self._watched = ""
        self._kept: deque[dict[str, Any]] = deque(maxlen=1000)
        self._before = 0.0
        self._step = 0
        self._stat = FlexLogger.from_config(CONFIG, server="127.0.0.1", port=port, env="bench", dir=folder)

    def round(self, watched: str, steps: int, batch: int) -> dict[str, Any]:
        """Train whole epochs, at least `steps` steps; medians of a step, its logging and a test in µs; `each` is the
        whole time by steps, `cpu` what of it the training thread computed, `share` the median part of a step that is
        logging, in percent.

        `watched`: "" (nothing is logged), "by hand" (what the demo logs, computed with torch and put into a deque),
        "scalars" (loss and learning rate) or "all" (the demo's dashboard).
        """
        self._watched = watched
        times: list[int] = []
        logging: list[int] = []
        tests: list[int] = []
        started, computed = time.perf_counter_ns(), time.thread_time_ns()
        while len(times) < steps:
            order = torch.randperm(len(self._y))
            for start in range(0, len(self._y) - batch + 1, batch):
                chosen = order[start : start + batch]
                before = time.perf_counter_ns()
                logging.append(self._learn(self._x[chosen], self._y[chosen]))
                times.append(time.perf_counter_ns() - before)
            before = time.perf_counter_ns()
            self._test()
            tests.append(time.perf_counter_ns() - before)
        whole, computed = time.perf_counter_ns() - started, time.thread_time_ns() - computed
        self._stat.flush()
        middles = {"step": median(times), "logging": median(logging), "test": median(tests)}
        share = 100 * median(spent / taken for spent, taken in zip(logging, times, strict=True))
        wholes = {"each": whole / len(times), "cpu": computed / len(times)}
        return {key: nanoseconds / 1000 for key, nanoseconds in (wholes | middles).items()} | {"share": share}

    def _learn(self, x: torch.Tensor, y: torch.Tensor) -> int:
        """One step; returns the nanoseconds spent on logging."""
        output = self._net(x)
        loss = functional.cross_entropy(output, y)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer.step()
        before = time.perf_counter_ns()
        if self._watched == "by hand":
            right = (output.detach().argmax(1) == y).sum().item()
            now = time.perf_counter()
            rate, self._before = len(y) / (now - self._before), now
            self._kept.append({"loss": loss.item(), "acc": right / len(y), "lr": 2e-3, "throughput": rate})
        elif self._watched:
            values: dict[str, Any] = {"train_loss": loss, "lr": 2e-3}
            if self._watched == "all":
                values |= {"train_acc": [output, y], "throughput": float(len(y))}
            self._stat.add(values)
            self._stat.log(self._step)
        self._step += 1
        return time.perf_counter_ns() - before

    def _test(self) -> None:
        self._net.eval()
        with torch.no_grad():
            output = self._net(self._test_x)
            losses = functional.cross_entropy(output, self._test_y, reduction="none")
        if self._watched == "by hand":
            self._test_by_hand(output, losses)
        elif self._watched == "all":
            seen = [output, self._test_y]
            self._stat.add({"test_loss": losses.mean(), "test_acc": seen, "test_f1": seen, "confusion": seen})
            self._stat.add({"mistakes": self._test_x[losses.argsort(descending=True)[:25]]})
            self._stat.add(weights(self._net))
            self._stat.log(self._step)
        self._net.train()

    def _test_by_hand(self, output: torch.Tensor, losses: torch.Tensor) -> None:
        predicted, truth = output.argmax(1), self._test_y
        counts = torch.bincount(truth * 10 + predicted, minlength=100).reshape(10, 10)
        kept: dict[str, Any] = {"loss": losses.mean().item(), "acc": (predicted == truth).sum().item() / len(truth)}
        kept["f1"] = (2 * counts.diag() / (counts.sum(0) + counts.sum(1))).tolist()
        kept["confusion"] = (counts / counts.sum(1, keepdim=True)).numpy()
        kept["mistakes"] = self._test_x[losses.argsort(descending=True)[:25]].mul(255).to(torch.uint8).numpy()
        for name, weight in weights(self._net).items():
            kept[name] = torch.histc(weight.detach(), 64).numpy()
        self._kept.append(kept)

    def close(self) -> dict[str, Any]:
        self._stat.close()
        return {}
