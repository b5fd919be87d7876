"""What happened, epoch by epoch, and how it is told while it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, nan
from typing import Any

import numpy as np

VERSION = 1


@dataclass(frozen=True)
class Epoch:
    """One epoch, counted from 1. `losses` are the minimised ones, averaged over the training
    batches as they were met; `validation` holds every loss and metric after the epoch, averaged
    over the validation rows; `rates` are the last learning rates, and the last of every other
    argument of an optimiser that follows a schedule: `lr`, `beta1`, or `ce.lr` where several losses
    are minimised; `seconds` covers all of it."""

    number: int
    losses: dict[str, float]
    validation: dict[str, float]
    rates: dict[str, float]
    seconds: float


@dataclass
class History:
    """`judge` names the validation figure that picks the `best` epoch: see `judge.judge_of`.
    `weights` are those after the last epoch, or of the best where the program stops early; they are
    not part of the JSON form. `stopped` tells that it did."""

    epochs: list[Epoch] = field(default_factory=list)
    judge: str | None = None
    best: int | None = None
    stopped: bool = False
    weights: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        epochs = [
            {**asdict(epoch), "losses": told(epoch.losses), "validation": told(epoch.validation)}
            for epoch in self.epochs
        ]
        return {"version": VERSION, "epochs": epochs, "judge": self.judge, "best": self.best,
                "stopped": self.stopped}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> History:
        """Raises KeyError, TypeError, ValueError or AttributeError for what is no history."""
        epochs = [_measured(Epoch(**epoch)) for epoch in data["epochs"]]
        judge, best = data["judge"], data["best"]
        _check_epochs(epochs)
        if best is not None and (best not in range(1, len(epochs) + 1)
                                 or judge not in epochs[best - 1].validation):
            raise ValueError("the best epoch is none of them, or was not measured")
        return History(epochs, judge, best, data.get("stopped", False))

    @property
    def figures(self) -> dict[str, list[float]]:
        """What validation measured after each epoch, by name."""
        names = self.epochs[0].validation if self.epochs else {}
        return {name: [epoch.validation[name] for epoch in self.epochs] for name in names}


def told(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as JSON has them, which knows neither NaN nor infinity: such a one is null."""
    return {name: value if isfinite(value) else None for name, value in figures.items()}


def _measured(epoch: Epoch) -> Epoch:
    """The epoch whose nulls have become NaN."""
    losses, validation = ({name: nan if value is None else value for name, value in each.items()}
                          for each in (epoch.losses, epoch.validation))
    return replace(epoch, losses=losses, validation=validation)


def _check_epochs(epochs: list[Epoch]) -> None:
    """Raises ValueError or AttributeError where they are not numbers of the same names for each,
    one epoch after the other."""
    for number, epoch in enumerate(epochs, 1):
        if epoch.number != number:
            raise ValueError(f"epoch {epoch.number} stands in the place of {number}")
        for mine, first in ((epoch.losses, epochs[0].losses),
                            (epoch.validation, epochs[0].validation)):
            if mine.keys() != first.keys():
                raise ValueError(f"epoch {number} has other figures than the first")
        numbers = (*epoch.losses.values(), *epoch.rates.values(), *epoch.validation.values(),
                   epoch.seconds)
        if not all(isinstance(each, (int, float)) for each in numbers):
            raise ValueError(f"a figure of epoch {number} is no number")


@dataclass(frozen=True)
class Plan:
    """What is about to happen: the epochs, those of them done before, and steps in each;
    `scheduled` are the rates of an epoch that follow a schedule."""

    epochs: int
    done: int
    steps_per_epoch: int
    training_rows: int
    validation_rows: int
    scheduled: tuple[str, ...] = ()


class Observer:
    """Told what happens; the base does nothing with it. Subclass to draw progress."""

    def on_read(self, data: str) -> None:
        """Before the data are read, which are asked for so: `digits()`."""

    def on_start(self, plan: Plan) -> None: ...

    def on_batch(self, epoch: int, batch: int, losses: Mapping[str, float]) -> None:
        """After each step; `epoch` and `batch` count from 1."""

    def on_norms(self, epoch: int, batch: int, norms: Mapping[str, float]) -> None:
        """After each step, where norms are asked for: that of each layer's gradient."""

    def on_epoch(self, epoch: Epoch, is_best: bool) -> None:
        """After validation, and after the epoch was saved."""

    def on_end(self, history: History) -> None: ...
