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
from netdsl.diagnostics.training import Interrupted, LossNotFinite, NoData, NothingToResume
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import TrainProgram
from netdsl.source import Span
from netdsl.training.check import check_executable, fed_inputs
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
    out: str | Path | None = None,
    resume: bool = False,
    observer: Observer | None = None,
) -> History:
    """Trains a whole model by its program; returns what happened, with the weights at the end.

    `dataset`, `epochs` and `batch` take the place of the program's own. `weights` begin the
    training (None: initialised from `seed`). With `out`, every epoch is saved there; `resume` goes
    on from what is saved, to the same bits as if it had never stopped.

    Raises Refused: for a program, data or weights that do not fit together, for a loss that is not
    finite, and with the note N462 when it is interrupted (Ctrl-C).
    """
    program = replace(
        program,
        batch=program.batch if batch is None else batch,
        epochs=program.epochs if epochs is None else epochs,
    )
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
        out: str | Path | None,
        observer: Observer,
    ):
        checked = check_executable(graph, program, reads=dataset is None)
        errors = [problem for problem in checked if problem.severity == "error"]
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
        self.evaluator = Evaluator(replace(graph, outputs={}), self.trainer.variables)
        self.history = History(judge=judge_of(graph, program))
        self.larger_is_better = self.history.judge in graph.metrics
        identity = Identity.of(program, self.dataset, seed)
        self.folder = None if out is None else Folder(Path(out), identity, self.dataset.classes)

    def resume(self) -> None:
        """Take up state and history where the folder has them. Raises Refused."""
        if self.folder is None:
            raise Refused(NothingToResume(None))
        state, self.history = self.folder.load()
        self.trainer.restore(state, str(self.folder.checkpoint))

    def all_epochs(self) -> History:
        done, total = len(self.history.epochs), self.program.epochs
        if self.folder is not None:
            self.folder.make()
        self.observer.on_start(Plan(
            total, done, self.steps_per_epoch,
            row_count(self.dataset.train), row_count(self.dataset.validate),
        ))
        try:
            for epoch in range(done, total):
                self._epoch(epoch)
        except KeyboardInterrupt:
            out = None if self.folder is None else str(self.folder.path)
            raise Refused(Interrupted(len(self.history.epochs), out)) from None
        self.history.weights = self.trainer.weights
        self.observer.on_end(self.history)
        return self.history

    def _epoch(self, number: int) -> None:
        """One epoch, counted from 0: train, validate, save, tell. The history grows once all of it
        is saved, so that an interrupted epoch leaves no trace."""
        began = perf_counter()
        losses, rates = self._train(number)
        measured = self.evaluator.over(self.batches.validation())
        validation = {**measured.losses, **measured.metrics}
        epoch = Epoch(number + 1, losses, validation, rates, round(perf_counter() - began, 3))
        is_best = self._is_best(validation)
        grown = replace(
            self.history,
            epochs=[*self.history.epochs, epoch],
            best=epoch.number if is_best else self.history.best,
        )
        if self.folder is not None:
            self.folder.save(self.trainer.weights, self.trainer.state, grown)
        self.history = grown
        self.observer.on_epoch(epoch, is_best)

    def _train(self, number: int) -> tuple[dict[str, float], dict[str, float]]:
        """The steps of an epoch: the mean of each loss, and the last learning rates."""
        totals: dict[str, float] = {}
        rates: dict[str, float] = {}
        for i, batch in enumerate(self.batches.training(number), 1):
            rates = self.trainer.rates()
            losses = self.trainer.step(batch)
            for name, value in losses.items():
                if not isfinite(value):
                    span = self._span_of(name)
                    raise Refused(LossNotFinite(span, name, value, number + 1, i))
                totals[name] = totals.get(name, 0.0) + value
            self.observer.on_batch(number + 1, i, losses)
        return {name: total / self.steps_per_epoch for name, total in totals.items()}, rates

    def _is_best(self, validation: Mapping[str, float]) -> bool:
        """Whether these figures are better than those of every epoch before."""
        judge, best = self.history.judge, self.history.best
        if judge not in validation:
            return False
        now = validation[judge]
        if best is None:
            return isfinite(now)
        before = self.history.epochs[best - 1].validation[judge]
        return now > before if self.larger_is_better else now < before

    def _span_of(self, loss: str) -> Span | None:
        return next(
            each.span
            for step in self.program.steps for each in step.minimize if each.loss == loss
        )


def judge_of(graph: Graph, program: TrainProgram) -> str:
    """The figure by which the best epoch is known: the first metric if it is a share of rows,
    which is better when larger (accuracy). Of any other metric nobody knows which way is better,
    so then it is the first minimised loss, which is better when smaller."""
    first = next(iter(graph.metrics), None)
    if first is not None and is_share(graph.metrics[first]):
        return first
    return program.steps[0].minimize[0].loss


def is_share(metric: Value) -> bool:
    """Whether a metric is a mean over true and false: a chain of nodes with one operand each leads
    from it to a bool tensor."""
    value = metric
    while value.node is not None and len(value.node.inputs) == 1 and value.dtype != "bool":
        value = value.node.inputs[0]
    return value.dtype == "bool"
