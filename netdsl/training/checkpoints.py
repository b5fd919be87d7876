"""The folder of a training: weights for use, and everything that is needed to go on.

weights.safetensors       parameters and buffers after the last epoch
best.safetensors          the same after the best epoch so far
checkpoint.safetensors    also optimiser memory and step count; epoch, seed and program as text
history.json              the figures of every epoch

The checkpoint is what counts as saved. It is written after the weights and, like all of them, whole
or not at all, so that a training that is killed goes on from the last epoch that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netdsl.data.dataset import Dataset
from netdsl.diagnostics import Refused
from netdsl.diagnostics.training import AnotherProgram, NotACheckpoint, NothingToResume
from netdsl.diagnostics.weights import UnwritableFile
from netdsl.ir.program import TrainProgram
from netdsl.registry import show
from netdsl.training.history import History
from netdsl.weights import load_weights, read_metadata, save_weights
from netdsl.weights.atomic import reason_of, remove_leftovers, replacing

FORMAT = "netdsl training 1"
WEIGHTS, BEST = "weights.safetensors", "best.safetensors"
CHECKPOINT, HISTORY = "checkpoint.safetensors", "history.json"
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Identity:
    """What must be the same when a training goes on: model, seed, data and the whole program but
    its length, each as text."""

    parts: dict[str, str]

    @staticmethod
    def of(program: TrainProgram, dataset: Dataset, seed: int) -> Identity:
        parts = {"model": program.model, "seed": str(seed), "data": dataset.name,
                 "batch": str(program.batch)}
        for feed in program.feeds:
            parts[f"feed {', '.join(feed.inputs)}"] = show(feed.value)
        for step in program.steps:
            for i, each in enumerate(step.minimize):
                over = ", ".join(map(str, each.over)) or "everything"
                what = f"minimize {each.loss} over {over}"
                parts[f"{step.name or 'step'} {i}"] = f"{what} with {show(each.optimizer)}"
        if program.freeze:
            parts["freeze"] = ", ".join(map(str, program.freeze))
        return Identity(parts)

    def differences(self, then: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
        names = dict.fromkeys((*then, *self.parts))
        pairs = ((name, then.get(name, "absent"), self.parts.get(name, "absent")) for name in names)
        return tuple((name, old, new) for name, old, new in pairs if old != new)


class Folder:
    """A training's folder, made when it is first written to."""

    def __init__(self, path: Path, identity: Identity, classes: tuple[str, ...] = ()):
        self.path, self._identity, self._classes = path, identity, classes

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    def make(self) -> None:
        """Make the folder, and clear it of what a killed training left half written. Raises
        Refused when that cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (WEIGHTS, BEST, CHECKPOINT, HISTORY):
                remove_leftovers(self.path / name)
        except OSError as error:
            raise Refused(UnwritableFile(str(self.path), reason_of(error))) from error

    def save(self, weights: Arrays, state: Arrays, history: History) -> None:
        """Everything after an epoch, the last of `history`. Raises Refused."""
        epoch = history.epochs[-1]
        about = {"format": FORMAT, "model": self._identity.parts["model"],
                 "data": self._identity.parts["data"], "epoch": str(epoch.number),
                 "classes": json.dumps(self._classes), "figures": json.dumps(epoch.validation)}
        if history.best == epoch.number:
            save_weights(self.path / BEST, weights, about)
        save_weights(self.path / WEIGHTS, weights, about)
        resume = {"identity": json.dumps(self._identity.parts),
                  "history": json.dumps(history.to_json())}
        save_weights(self.checkpoint, state, {**about, **resume})
        with replacing(self.path / HISTORY) as file:
            file.write_text(json.dumps(history.to_json(), indent=1) + "\n", encoding="utf-8")

    def load(self) -> tuple[dict[str, np.ndarray], History]:
        """State and history of the last saved epoch. Raises Refused when there is none or it
        belongs to a training that differs from this one in more than its length."""
        if not self.checkpoint.exists():
            raise Refused(NothingToResume(str(self.path)))
        metadata = read_metadata(self.checkpoint)
        try:
            then: Any = json.loads(metadata["identity"])
            history = History.from_json(json.loads(metadata["history"]))
            differences = self._identity.differences(then)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Refused(NotACheckpoint(str(self.checkpoint))) from None
        if differences:
            raise Refused(AnotherProgram(str(self.checkpoint), differences))
        return load_weights(self.checkpoint), history
