"""The information plane of a model, measured on a fixed probe set while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from flexlogger import faults
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.model.eager import EAGER
from flexlogger.model.information import Array, Estimate, estimate
from flexlogger.model.layers import plain, unwrapped

MAX_UNITS = 64
"""Layers with more units are left out unless asked for: their state is another one for every input."""
MAX_PLACES = 200
"""Places of a layer that the picture keeps; past that every second of the older ones goes."""

_RANGES: dict[type[nn.Module], tuple[float, float]] = {
    nn.Tanh: (-1.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softmax: (0.0, 1.0),
}
"""Nonlinearities with a range of their own."""
_ACTIVATIONS = (*_RANGES, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus)


class InformationPlane:
    """I(X;T) and I(T;Y) of each layer over training, as binned entropies in bits; `flexlogger.model.information` says
    what they mean and where they mislead.

    `inputs` (N, …) go through `model` in one pass, in eval mode and without gradients; `targets` are their N labels.
    A compiled model runs eagerly there, one in DataParallel or DistributedDataParallel by itself, on its own device.
    Take the whole input space (`whole=True`) or a sample that is large beside the number of states. `layers` are names
    of modules; by default every nonlinearity and the last layer, up to 64 units wide. A bounded nonlinearity has its
    own range, every other layer the widest range of its outputs so far.

    Raises UnknownNameError for a layer that is not there.

    >>> inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> plane = InformationPlane(nn.Sequential(nn.Identity()), inputs, inputs[:, 0], layers=["0"], whole=True)
    >>> plane.measure(step=0)["i_xt"]
    {'0': 2.0}
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        targets: torch.Tensor | Array | Sequence[Any],
        *,
        layers: Sequence[str] | None = None,
        bins: int = 30,
        whole: bool = False,
    ) -> None:
        self._model = unwrapped(model)
        self._moved = self._model is not model
        self._inputs = inputs
        self._targets = targets.detach().cpu().numpy() if isinstance(targets, torch.Tensor) else np.asarray(targets)
        if len(self._targets) != len(inputs):
            raise ValueRefusedError(
                f"InformationPlane: expected a target for each of {len(inputs)} inputs, got {len(self._targets)}"
            )
        self._asked = layers is not None
        self._layers = _chosen(self._model, layers)
        self._bins = bins
        self._whole = whole
        self._widest: dict[str, tuple[float, float]] = {}
        self._told: set[str] = set()
        self._places: dict[str, list[tuple[float, float, float]]] = {name: [] for name in self._layers}
        self.estimates: dict[str, Estimate] = {}
        """The latest estimate of each layer, refused ones included."""

    def measure(self, step: float = 0) -> dict[str, Any]:
        """Measure every layer now. The result is what the preset `information-plane` takes:
        `stat.add(plane.measure(epoch))`.

        `i_xt`, `i_ty` and `i_ty_bias` hold bits by layer, `information_plane` is the picture so far. A layer whose
        estimate is refused is left out; why is told once and stands in `estimates`.
        """
        for name, output in self._outputs().items():
            seen = estimate(output, self._targets, *self._range(name, output), bins=self._bins, whole=self._whole)
            self.estimates[name] = seen
            if seen.refusal:
                self._tell(name, seen.refusal)
            else:
                self._places[name] = _thinned([*self._places[name], (seen.i_xt, seen.i_ty, float(step))])
        good = {name: seen for name, seen in self.estimates.items() if not seen.refusal}
        if not good:
            return {}
        return {
            "i_xt": {name: seen.i_xt for name, seen in good.items()},
            "i_ty": {name: seen.i_ty for name, seen in good.items()},
            "i_ty_bias": {name: seen.bias for name, seen in good.items()},
            "information_plane": self.figure(),
        }

    def figure(self) -> dict[str, Any]:
        """The picture as a plotly figure: a path a layer, I(X;T) to the right and I(T;Y) upwards, dark is early."""
        traces = [_path(name, places) for name, places in self._places.items() if places]
        n = len(self._inputs)
        sample = "all inputs" if self._whole else f"{n:,} inputs"
        layout = {
            "title": {"text": f"Binned entropy, {self._bins} bins, {sample}", "font": {"size": 13}},
            "xaxis": {"title": {"text": "I(X;T), bits"}},
            "yaxis": {"title": {"text": "I(T;Y), bits"}},
        }
        return {"data": traces, "layout": layout}

    def _outputs(self) -> dict[str, Array]:
        """The output of each layer on the probe set, as (N, units) on the host."""
        caught: dict[str, Array] = {}
        with ExitStack() as stack:
            stack.enter_context(_evaluating(self._model))
            stack.enter_context(torch.no_grad())
            EAGER.hold()  # compiled code would pass the hooks by
            stack.callback(EAGER.release)
            for name, module in self._layers.items():
                handle = module.register_forward_hook(_catch_into(caught, name))
                stack.callback(handle.remove)
            self._model(self._where_the_model_is())
        missing = [name for name in self._layers if name not in caught]
        for name in missing:
            self._tell(name, "it gave no tensor on the probe set")
        return {name: output for name, output in caught.items() if self._fits(name, output)}

    def _where_the_model_is(self) -> torch.Tensor:
        """The inputs, on the device that the model's wrapper would bring them to."""
        parameter = next(self._model.parameters(), None) if self._moved else None
        return self._inputs if parameter is None else self._inputs.to(parameter.device)

    def _fits(self, name: str, output: Array) -> bool:
        if output.shape[0] != len(self._inputs):
            self._tell(name, f"its output has {output.shape[0]} rows for {len(self._inputs)} inputs")
            return False
        if not self._asked and output.shape[1] > MAX_UNITS:
            self._tell(name, f"it has {output.shape[1]} units, more than {MAX_UNITS}; name it in layers to see it")
            return False
        return True

    def _range(self, name: str, output: Array) -> tuple[float, float]:
        own = _RANGES.get(type(self._layers[name]))
        if own is not None:
            return own
        finite = output[np.isfinite(output)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        before = self._widest.get(name, (low, high))
        low, high = self._widest[name] = min(low, before[0]), max(high, before[1])
        return (low, high) if low < high else (low, low + 1.0)

    def _tell(self, name: str, why: str) -> None:
        if name not in self._told:
            self._told.add(name)
            faults.log.warning("flexlogger: information plane: layer %r is left out: %s", name, why)


def _chosen(model: nn.Module, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    # what is wrapped comes behind its wrapper, and stays
    modules = {plain(path): module for path, module in model.named_modules()}
    if layers is not None:
        layers = [plain(name) for name in layers]  # as they were called in a wrapper, too
        for name in layers:
            if name not in modules:
                raise UnknownNameError(f"InformationPlane: {unknown('layer', name, modules)}")
        return {name: modules[name] for name in layers}
    leaves = {name: module for name, module in modules.items() if not list(module.children())}
    last = list(leaves)[-1:]
    return {name: module for name, module in leaves.items() if isinstance(module, _ACTIVATIONS) or name in last}


def _catch_into(caught: dict[str, Array], name: str) -> Any:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim:
            caught[name] = output.detach().float().reshape(len(output), -1).cpu().numpy()

    return hook


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _thinned(places: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    return places if len(places) <= MAX_PLACES else [*places[:-1:2], places[-1]]


def _path(name: str, places: list[tuple[float, float, float]]) -> dict[str, Any]:
    x, y, steps = (list(axis) for axis in zip(*places, strict=True))
    marker = {"color": steps, "colorscale": "Viridis", "size": 7}
    text = [f"step {step:g}" for step in steps]
    return {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": y, "text": text, "marker": marker}
