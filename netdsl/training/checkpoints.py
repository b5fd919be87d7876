"""The folder of a training: weights for use, and everything that is needed to go on.

weights.safetensors       parameters and buffers after the last epoch
best.safetensors          the same after the best epoch so far
epoch-N.safetensors       the same after each of the best epochs, where several are kept
checkpoint.safetensors    also optimiser memory and step count; epoch, seed and program as text
history.json              the figures of every epoch

The checkpoint is what counts as saved. It is written after the weights and, like all of them, whole
or not at all, so that a training that is killed goes on from the last epoch that it holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from netdsl.data.dataset import Dataset
from netdsl.diagnostics import Refused
from netdsl.diagnostics.training import (
    AnotherProgram,
    FolderInUse,
    NotACheckpoint,
    NothingToResume,
)
from netdsl.diagnostics.weights import UnwritableFile
from netdsl.ir.graph import Graph
from netdsl.ir.printer import print_graph
from netdsl.ir.program import TrainProgram
from netdsl.registry import show
from netdsl.rewrite.rebuild import prune
from netdsl.training.history import History, told
from netdsl.training.judge import Judge
from netdsl.weights import load_weights, read_metadata, save_weights
from netdsl.weights.atomic import reason_of, remove_leftovers, replacing

FORMAT = "netdsl training 1"
WEIGHTS, BEST = "weights.safetensors", "best.safetensors"
CHECKPOINT, HISTORY = "checkpoint.safetensors", "history.json"
NETWORK = "the network"  # the part of an identity that is its fingerprint
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Identity:
    """What must be the same when a training goes on: model, seed, data, the network itself and the
    whole program but its length, each as text. The `attributes` that the network was built with
    tell why two are not the same."""

    parts: dict[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        graph: Graph, program: TrainProgram, dataset: Dataset, seed: int,
        attributes: Mapping[str, str],
    ) -> Identity:
        parts = {"model": program.model, NETWORK: fingerprint(graph), "seed": str(seed),
                 "data": dataset.name, "batch": str(program.batch)}
        for feed in program.feeds:
            parts[f"feed {', '.join(feed.inputs)}"] = show(feed.value)
        for step in program.steps:
            for i, each in enumerate(step.minimize):
                over = ", ".join(map(str, each.over)) or "everything"
                what = f"minimize {each.loss} over {over}"
                parts[f"{step.name or 'step'} {i}"] = f"{what} with {show(each.optimizer)}"
        for name, setting in program.settings.items():
            if name not in ("data", "stop"):  # a run may go on for longer, as with `epochs`
                parts[name] = show(setting)
        if program.freeze:
            parts["freeze"] = ", ".join(map(str, program.freeze))
        return Identity(parts, dict(attributes))

    def differences(
        self, then: Mapping[str, str], attributes: Mapping[str, str]
    ) -> tuple[tuple[str, str, str], ...]:
        """What differs from an earlier training, which may be older than fingerprints are."""
        found = _differences({NETWORK: self.parts[NETWORK], **then}, self.parts, "absent")
        if any(name == NETWORK for name, *_ in found):
            flags = ({f"-D {name}": value for name, value in each.items()}
                     for each in (attributes, self.attributes))
            found += _differences(*flags, "not given")
        return tuple(found)


def _differences(
    then: Mapping[str, str], now: Mapping[str, str], absent: str
) -> list[tuple[str, str, str]]:
    pairs = ((name, then.get(name, absent), now.get(name, absent))
             for name in dict.fromkeys((*then, *now)))
    return [(name, old, new) for name, old, new in pairs if old != new]


def fingerprint(graph: Graph) -> str:
    """Of what is trained and measured, outputs aside: equal for graphs that print equally, in
    every process."""
    measured = prune(replace(graph, outputs={}))
    return sha256(print_graph(measured).encode()).hexdigest()[:16]


def holds_training(folder: Path) -> bool:
    """Whether a training has saved a whole epoch there."""
    return os.path.exists(folder / CHECKPOINT)  # a name that cannot be is one that is not there


def epoch_file(number: int | str) -> str:
    return f"epoch-{number}.safetensors"


def kept_epochs(history: History, judge: Judge, count: int) -> list[int]:
    """The numbers of the best epochs, the best first, of which so many are kept."""
    return [place + 1 for place in judge.best(history.figures.get(judge.figure, ()), count)]


def locked(folder: Path) -> int | None:
    """A handle on a folder that no other training has, which the system takes back however the
    process ends; None where folders cannot be locked. Raises Refused (N468), OSError."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Refused(FolderInUse(str(folder))) from None
    except OSError:  # some file systems of a network have no locks
        os.close(handle)
        return None
    return handle


class Folder:
    """A training's folder, made when it is first written to. The weights of the `keep` best epochs,
    as the judge knows them, stay beside each other."""

    def __init__(
        self, path: Path, identity: Identity, judge: Judge, dataset: Dataset, keep: int = 0
    ):
        self.path, self._identity, self._judge = path, identity, judge
        self._keep, self._classes, self._rows = keep, dataset.classes, dataset.fingerprint()
        self._lock: int | None = None

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    def make(self, fresh: bool) -> None:
        """Make the folder, keep other trainings out of it until `leave`, and clear it of what a
        killed one left half written; for a `fresh` training also of epochs that another one kept.
        Raises Refused when that cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(self.path)
            for file in self.path.glob(epoch_file("[0-9]*")) if fresh else ():
                file.unlink()
            halves = self.path.glob(f".{epoch_file('[0-9]*')}.*.tmp")
            epochs = {half.name[1:].rsplit(".", 2)[0] for half in halves}
            for name in (WEIGHTS, BEST, CHECKPOINT, HISTORY, *epochs):
                remove_leftovers(self.path / name)
        except OSError as error:
            raise Refused(UnwritableFile(str(self.path), reason_of(error))) from error

    def leave(self) -> None:
        """Let other trainings in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save(self, weights: Arrays, state: Arrays, history: History) -> None:
        """Everything after an epoch, the last of `history`. Raises Refused."""
        epoch = history.epochs[-1]
        about = {"format": FORMAT, "model": self._identity.parts["model"],
                 "data": self._identity.parts["data"], "epoch": str(epoch.number),
                 "classes": json.dumps(self._classes),
                 "figures": json.dumps(told(epoch.validation))}
        if history.best == epoch.number:
            save_weights(self.path / BEST, weights, about)
        save_weights(self.path / WEIGHTS, weights, about)
        kept = kept_epochs(history, self._judge, self._keep)
        if epoch.number in kept:
            save_weights(self.path / epoch_file(epoch.number), weights, about)
        resume = {"identity": json.dumps(self._identity.parts), "rows": self._rows,
                  "attributes": json.dumps(self._identity.attributes),
                  "history": json.dumps(history.to_json())}
        save_weights(self.checkpoint, state, {**about, **resume})
        with replacing(self.path / HISTORY) as file:
            file.write_text(json.dumps(history.to_json(), indent=1) + "\n", encoding="utf-8")
        self._drop(each.number for each in history.epochs if each.number not in kept)

    def _drop(self, epochs: Iterable[int]) -> None:
        """Remove the weights of epochs that are among the best no more."""
        try:
            for number in epochs:
                (self.path / epoch_file(number)).unlink(missing_ok=True)
        except OSError as error:
            raise Refused(UnwritableFile(str(self.path), reason_of(error))) from error

    def best_weights(self) -> dict[str, np.ndarray]:
        """Those of the best epoch that is saved. Raises Refused."""
        return load_weights(self.path / BEST)

    def load(self) -> tuple[dict[str, np.ndarray], History]:
        """State and history of the last saved epoch. Raises Refused when there is none or it
        belongs to a training that differs from this one in more than its length."""
        if not holds_training(self.path):
            raise Refused(NothingToResume(str(self.path)))
        metadata = read_metadata(self.checkpoint)
        if metadata.get("format", FORMAT) != FORMAT:
            raise Refused(NotACheckpoint(str(self.checkpoint), metadata["format"]))
        try:
            then: Any = json.loads(metadata["identity"])
            history = History.from_json(json.loads(metadata["history"]))
            attributes = json.loads(metadata.get("attributes", "{}"))
            differences = self._identity.differences(then, attributes)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise Refused(NotACheckpoint(str(self.checkpoint))) from None
        if differences:
            raise Refused(AnotherProgram(str(self.checkpoint), differences))
        rows = metadata.get("rows", self._rows)
        if rows != self._rows:
            data = ("the data themselves", rows, self._rows)
            raise Refused(AnotherProgram(str(self.checkpoint), (data,)))
        return load_weights(self.checkpoint), history
