"""What happened, epoch by epoch, and how it is told while it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

VERSION = 1


@dataclass(frozen=True)
class Epoch:
    """One epoch, counted from 1. `losses` are the minimised ones, averaged over the training
    batches as they were met; `validation` holds every loss and metric after the epoch, averaged
    over the validation rows; `rates` are the last learning rates; `seconds` covers all of it."""

    number: int
    losses: dict[str, float]
    validation: dict[str, float]
    rates: dict[str, float]
    seconds: float


@dataclass
class History:
    """`judge` names the validation figure that picks the `best` epoch: see `loop.judge_of`.
    `weights` are those after the last epoch; they are not part of the JSON form."""

    epochs: list[Epoch] = field(default_factory=list)
    judge: str | None = None
    best: int | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        epochs = [asdict(epoch) for epoch in self.epochs]
        return {"version": VERSION, "epochs": epochs, "judge": self.judge, "best": self.best}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> History:
        """Raises KeyError or TypeError for what is no history."""
        return History([Epoch(**epoch) for epoch in data["epochs"]], data["judge"], data["best"])


@dataclass(frozen=True)
class Plan:
    """What is about to happen: the epochs, those of them done before, and steps in each."""

    epochs: int
    done: int
    steps_per_epoch: int
    training_rows: int
    validation_rows: int


class Observer:
    """Told what happens; the base does nothing with it. Subclass to draw progress."""

    def on_start(self, plan: Plan) -> None: ...

    def on_batch(self, epoch: int, batch: int, losses: Mapping[str, float]) -> None:
        """After each step; `epoch` and `batch` count from 1."""

    def on_epoch(self, epoch: Epoch, is_best: bool) -> None:
        """After validation, and after the epoch was saved."""

    def on_end(self, history: History) -> None: ...
