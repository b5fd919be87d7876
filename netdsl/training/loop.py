"""Training from the first epoch to the last: batches, steps, validation, saving, going on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, row_count
from netdsl.data.sources import load_source
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.data import NotMeasured
from netdsl.diagnostics.training import (
    AnotherProgram,
    Interrupted,
    LossNotFinite,
    NoData,
    NothingToResume,
)
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram
from netdsl.registry import show
from netdsl.training.check import check_executable, fed_inputs
from netdsl.training.checkpoints import Folder, Identity
from netdsl.training.evaluate import Evaluator
from netdsl.training.history import Epoch, History, Observer, Plan
from netdsl.training.judge import judge_by, judge_of
from netdsl.training.settings import Early, bind_settings
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
    keep: int = 0,
    resume: bool = False,
    norms: bool = False,
    observer: Observer | None = None,
    attributes: Mapping[str, str] | None = None,
) -> History:
    """Trains a whole model by its program; returns what happened, with the weights at the end: of
    the last epoch, or of the best where the program stops early.

    `dataset`, `epochs` and `batch` take the place of the program's own. `weights` begin the
    training (None: initialised from `seed`). With `out`, every epoch is saved there, and the
    weights of the `keep` best epochs beside each other; `resume` goes on from what is saved, to the
    same bits as if it had never stopped. `norms` tells the observer those of the gradients. The
    `attributes` that the model was built with are saved to tell of when another is to go on.

    Raises Refused: for a program, data or weights that do not fit together, for a loss that is not
    finite, and with the note N462 when it is interrupted (Ctrl-C).
    """
    program = replace(
        program,
        batch=program.batch if batch is None else batch,
        epochs=program.epochs if epochs is None else epochs,
    )
    run = _Run(graph, program, dataset, weights, seed, observer or Observer(), norms)
    if out is not None:
        run.save_in(Path(out), keep, attributes or {})
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
        observer: Observer,
        norms: bool,
    ):
        checked = check_executable(graph, program, reads=dataset is None)
        errors = [problem for problem in checked if problem.severity == "error"]
        if errors:
            raise Refused(*errors)
        if dataset is None and program.data is None:
            raise Refused(NoData(program.span))
        self.graph, self.program, self.observer = graph, program, observer
        if dataset is None:
            observer.on_read(show(program.data))
            dataset = load_source(program.data)
        self.dataset = dataset
        self.batches = Batches(
            graph, self.dataset, program.batch, feeds=program.feeds, seed=seed,
            needed=fed_inputs(graph, program), span=program.spans.get("batch"),
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.trainer = Trainer(
            graph, program, weights, seed, steps_per_epoch=self.steps_per_epoch, norms=norms
        )
        self.evaluator = Evaluator(replace(graph, outputs={}), self.trainer.variables)
        self.figures = {*graph.losses, *graph.metrics}
        self.early = early_stop(program)
        self.judge = judge_of(graph, program)
        if self.early is not None:
            self.judge = judge_by(graph, self.early.figure, self.early.better)
        self._check_measured()
        self.history = History(judge=self.judge.figure)
        self.best: Mapping[str, np.ndarray] = {}  # weights, where the program stops early
        self.folder: Folder | None = None

    def _check_measured(self) -> None:
        """Raises Refused where the program goes by a figure that no rows give."""
        own = () if self.early is None else (self.early.figure,)
        for figure in (*own, *self.trainer.heeded):
            if not self.dataset.validate:
                raise Refused(NotMeasured(figure.span, f"`{figure}`", self.dataset.name))

    def save_in(self, path: Path, keep: int, attributes: Mapping[str, str]) -> None:
        if keep and not self.dataset.validate:
            raise Refused(NotMeasured(None, "which epochs are best", self.dataset.name))
        seed = self.trainer.seed
        identity = Identity.of(self.graph, self.program, self.dataset, seed, attributes)
        self.folder = Folder(path, identity, self.judge, self.dataset, keep)

    def resume(self) -> None:
        """Take up state and history where the folder has them. Raises Refused."""
        if self.folder is None:
            raise Refused(NothingToResume(None))
        named = self.trainer.argument_names
        state, history = self.folder.load()
        self.history = replace(history, epochs=[
            replace(each, rates={named.get(name, name): rate for name, rate in each.rates.items()})
            for each in history.epochs  # older ones name the inputs of the training graph
        ])
        self._check_figures()
        self.trainer.restore(state, str(self.folder.checkpoint))
        self.trainer.heed(self.history.figures)
        if self.early is not None and self.history.best is not None:
            self.best = self.folder.best_weights()

    def _check_figures(self) -> None:
        """Raises Refused where the epochs so far measured other losses or metrics."""
        epochs = self.history.epochs
        then = set(epochs[0].validation) if epochs else set()
        if then and then != self.figures:
            told = ("figures", ", ".join(sorted(then)), ", ".join(sorted(self.figures)))
            raise Refused(AnotherProgram(str(self.folder.checkpoint), (told,)))

    def all_epochs(self) -> History:
        """The epochs that are left, in a folder that no other training has meanwhile."""
        try:
            return self._all_epochs()
        finally:
            if self.folder is not None:
                self.folder.leave()

    def _all_epochs(self) -> History:
        done, total = len(self.history.epochs), self.program.epochs
        if self.folder is not None:
            self.folder.make(fresh=not done)
        self.observer.on_start(Plan(
            total, done, self.steps_per_epoch,
            row_count(self.dataset.train), row_count(self.dataset.validate),
            self.trainer.changing,
        ))
        try:
            for epoch in range(done, total):
                self.history.stopped = self._is_over()
                if self.history.stopped:
                    break
                self._epoch(epoch)
        except KeyboardInterrupt:
            out = None if self.folder is None else str(self.folder.path)
            raise Refused(Interrupted(len(self.history.epochs), out)) from None
        self.history.weights = self.best if self.best else self.trainer.weights
        self.observer.on_end(self.history)
        return self.history

    def _epoch(self, number: int) -> None:
        """One epoch, counted from 0: train, validate, save, tell. The history grows once all of it
        is saved, so that an interrupted epoch leaves no trace."""
        began = perf_counter()
        losses, rates = self._train(number)
        with closing(self.batches.validation()) as batches:
            measured = self.evaluator.over(
                {**batch, **self.trainer.scheduled()} for batch in batches
            )
        validation = {**measured.losses, **measured.metrics}
        epoch = Epoch(number + 1, losses, validation, rates, round(perf_counter() - began, 3))
        grown = replace(self.history, epochs=[*self.history.epochs, epoch])
        values = grown.figures.get(self.judge.figure, ())
        best = self.judge.best(values, 1)
        grown.best = best[0] + 1 if best else None
        is_best = grown.best == epoch.number
        if is_best and self.early is not None:
            self.best = self.trainer.weights
        if self.folder is not None:
            state = self.trainer.variables
            self.folder.save({name: state[name] for name in self.trainer.names}, state, grown)
        self.history = grown
        self.trainer.heed(grown.figures)
        self.observer.on_epoch(epoch, is_best)

    def _is_over(self) -> bool:
        """Whether the program stops early, after the epochs so far."""
        if self.early is None or not self.history.epochs:
            return False
        values = self.history.figures.get(self.judge.figure, ())
        return bool(values) and self.judge.waited(values)[-1] >= self.early.patience

    def _train(self, number: int) -> tuple[dict[str, float], dict[str, float]]:
        """The steps of an epoch: the mean of each loss, and the last rates."""
        totals: dict[str, float] = {}
        rates: dict[str, float] = {}
        with closing(self.batches.training(number)) as batches:
            for i, batch in enumerate(batches, 1):
                rates = self.trainer.rates()
                losses = self._step(batch, number, i)
                for name, value in losses.items():
                    totals[name] = totals.get(name, 0.0) + value
                self.observer.on_batch(number + 1, i, losses)
                if self.trainer.norms:
                    self.observer.on_norms(number + 1, i, self.trainer.norms)
        return {name: total / self.steps_per_epoch for name, total in totals.items()}, rates

    def _step(self, batch: Mapping[str, np.ndarray], epoch: int, number: int) -> dict[str, float]:
        """A step; one that fails tells its batch and epoch."""
        try:
            return self.trainer.step(batch)
        except Refused as refused:
            where = f"batch {number} of epoch {epoch + 1}"
            raise Refused(*_placed(refused.problems, where)) from None


def _placed(problems: Iterable[Problem], where: str) -> list[Problem]:
    return [replace(p, where=where) if isinstance(p, LossNotFinite) else p for p in problems]


def early_stop(program: TrainProgram) -> Early | None:
    """The program's way to stop before its last epoch."""
    stop = bind_settings(program, Report()).get("stop")
    return None if stop is None else stop.when
