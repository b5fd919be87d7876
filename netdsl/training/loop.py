"""Training from the first epoch to the last: batches, steps, validation, saving, going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from time import perf_counter

import numpy as np

from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, row_count
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.training import Interrupted, LossNotFinite, NoData
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import TrainProgram
from netdsl.training.check import check_program, fed_inputs
from netdsl.training.checkpoints import Folder, Identity
from netdsl.training.evaluate import Evaluator
from netdsl.training.history import Epoch, History, Observer, Plan
from netdsl.training.trainer import Trainer


def fit(
    graph: Graph,
    program: TrainProgram,
    *,
    dataset: Dataset | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    epochs: int | None = None,
    batch: int | None = None,
    out: Path | None = None,
    resume: bool = False,
    observer: Observer | None = None,
) -> tuple[dict[str, np.ndarray], History]:
    """Trains a whole model by its program; returns the weights after the last epoch, and what
    happened.

    `dataset`, `epochs` and `batch` take the place of the program's own. `weights` begin the
    training (None: initialised from `seed`). With `out`, every epoch is saved there; `resume` goes
    on from what is saved, to the same bits as if it had never stopped.

    Raises Refused: for a program, data or weights that do not fit together, for a loss that is not
    finite, and with the note N462 when it is interrupted (Ctrl-C).
    """
    program = replace(program, batch=batch or program.batch, epochs=epochs or program.epochs)
    run = _Run(graph, program, dataset, weights, seed, out, observer or Observer())
    if resume:
        run.resume()
    return run.all_epochs()


class _Run:
    """One training under way."""

    def __init__(
        self,
        graph: Graph,
        program: TrainProgram,
        dataset: Dataset | None,
        weights: Mapping[str, np.ndarray] | None,
        seed: int,
        out: Path | None,
        observer: Observer,
    ):
        errors = [p for p in check_program(graph, program) if p.severity == "error"]
        if errors:
            raise Refused(*errors)
        if dataset is None and program.data is None:
            raise Refused(NoData(program.span))
        self.program, self.observer = program, observer
        self.dataset = load_source(program.data) if dataset is None else dataset
        self.batches = Batches(
            graph, self.dataset, program.batch, feeds=program.feeds, seed=seed,
            needed=fed_inputs(graph, program), span=program.spans.get("batch"),
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.trainer = Trainer(
            graph, program, weights, seed, steps_per_epoch=self.steps_per_epoch
        )
        self.evaluator = Evaluator(replace(graph, outputs={}), self.trainer.weights)
        self.history = History(judge=judge_of(graph, program))
        identity = Identity.of(program, self.dataset, seed)
        self.folder = None if out is None else Folder(Path(out), identity, self.dataset.classes)
"""
"""
