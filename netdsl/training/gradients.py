"""Gradients by layer over a whole training: what `netdsl profile --gradients` writes down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from netdsl.training.history import Epoch, Observer, Plan

MOST_STAGES = 200  # of the JSON form and of pictures


@dataclass(frozen=True, eq=False)
class GradientProfile:
    """`norms` [steps, layers] are those of the gradients of each layer's parameters before they are
    clipped; `layers` are label paths in the network's order. `losses` [steps] are the minimised
    ones; `epochs` have the means and what validation measured."""

    model: str
    layers: tuple[str, ...]
    norms: np.ndarray
    losses: Mapping[str, np.ndarray]
    epochs: tuple[Epoch, ...]

    def to_depth(self, depth: int) -> GradientProfile:
        """Layers below so many levels counted with the one above: ‖(a, b)‖ = √(‖a‖² + ‖b‖²)."""
        above = [".".join(path.split(".")[:depth]) for path in self.layers]
        layers = tuple(dict.fromkeys(above))
        squares = np.zeros((len(self.norms), len(layers)))
        for place, path in enumerate(above):
            squares[:, layers.index(path)] += self.norms[:, place] ** 2
        return replace(self, layers=layers, norms=np.sqrt(squares))

    def stages(self, most: int = MOST_STAGES) -> list[tuple[int, int]]:
        """(first, last + 1): the steps cut into at most so many stretches of even length."""
        steps = len(self.norms)
        count = min(most, steps)
        return [(steps * i // count, steps * (i + 1) // count) for i in range(count)]

    def by_stage(self, most: int = MOST_STAGES) -> np.ndarray:
        """The mean norms of each stretch of steps [stages, layers]."""
        return np.array([self.norms[a:b].mean(0) for a, b in self.stages(most)])

    def to_json(self) -> dict[str, Any]:
        """Means over at most 200 stretches of steps; `steps` is the last of each, from 1."""
        stages, norms = self.stages(), self.by_stage()
        return {
            "model": self.model, "steps": [stop for _, stop in stages],
            "norms": {path: norms[:, i].tolist() for i, path in enumerate(self.layers)},
            "losses": {name: [float(values[a:b].mean()) for a, b in stages]
                       for name, values in self.losses.items()},
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }


class GradientLog(Observer):
    """Writes down a training with `norms`, and hands on what happens to another observer."""

    def __init__(self, model: str, shown: Observer):
        self.model, self.shown = model, shown
        self._norms: list[tuple[float, ...]] = []
        self._losses: list[dict[str, float]] = []
        self._epochs: list[Epoch] = []
        self._layers: tuple[str, ...] = ()

    def on_read(self, data: str) -> None:
        self.shown.on_read(data)

    def on_start(self, plan: Plan) -> None:
        self.shown.on_start(plan)

    def on_batch(self, epoch: int, batch: int, losses: Mapping[str, float]) -> None:
        self._losses.append(dict(losses))
        self.shown.on_batch(epoch, batch, losses)

    def on_norms(self, epoch: int, batch: int, norms: Mapping[str, float]) -> None:
        self._layers = tuple(norms)
        self._norms.append(tuple(norms.values()))

    def on_epoch(self, epoch: Epoch, is_best: bool) -> None:
        self._epochs.append(epoch)
        self.shown.on_epoch(epoch, is_best)

    @property
    def profile(self) -> GradientProfile:
        names = self._losses[0] if self._losses else {}
        losses = {name: np.array([step[name] for step in self._losses]) for name in names}
        norms = np.array(self._norms).reshape(-1, len(self._layers))
        return GradientProfile(self.model, self._layers, norms, losses, tuple(self._epochs))
