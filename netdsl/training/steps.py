"""The steps of a program against a model: losses, optimisers and who trains what, nothing run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from netdsl.diagnostics import Report
from netdsl.diagnostics.program import (
    LossNotScalar,
    NothingMinimised,
    NothingToTrain,
    UnknownLoss,
)
from netdsl.ir.graph import Graph
from netdsl.ir.program import Step, TrainProgram
from netdsl.rewrite.phases import train
from netdsl.training.coverage import Coverage, cover
from netdsl.training.judge import misfits
from netdsl.training.optimizers import OPTIMIZERS, Optimizer


@dataclass(frozen=True, eq=False)
class BoundStep:
    """A step that fits its model: `slice` is what its losses need."""

    step: Step
    slice: Graph
    optimizers: tuple[Optimizer, ...]
    coverage: Coverage


def bind_steps(
    graph: Graph, program: TrainProgram, report: Report
) -> tuple[BoundStep, ...] | None:
    """The steps of a program for a whole model, or None with the reasons in `report`."""
    before = len(report.problems)
    steps = program.steps
    if not steps or not all(step.minimize for step in steps):
        report.add(NothingMinimised(program.span))
        return None
    optimizers = [
        tuple(OPTIMIZERS.bind(each.optimizer, report) for each in step.minimize) for step in steps
    ]
    for optimizer in chain(*optimizers):
        schedules = () if optimizer is None else optimizer.schedules()
        for plateau in chain.from_iterable(each.heeded() for each in schedules):
            for problem in misfits(graph, plateau.figure, plateau.better):
                report.add(problem)
    fit = [_losses_fit(graph, step, report) for step in steps]  # each tells its own
    if not all(fit):
        return None
    slices = [train(graph, [each.loss for each in step.minimize]) for step in steps]
    copies = {name: copy.source for name, copy in graph.copies.items()}
    trainable = [each.trainable for each in slices]
    coverage = cover(program, trainable, graph.parameters, report, copies)
    if len(report.problems) > before or any(None in each for each in optimizers):
        return None
    for step, covered in zip(steps, coverage):
        for each, names in zip(step.minimize, covered.trained):
            if not names:
                report.add(NothingToTrain(each.span, each.loss))
    if len(report.problems) > before:
        return None
    return tuple(map(BoundStep, steps, slices, optimizers, coverage))


def _losses_fit(graph: Graph, step: Step, report: Report) -> bool:
    fit = True
    for each in step.minimize:
        loss = graph.losses.get(each.loss)
        if loss is None:
            report.add(UnknownLoss(each.place, each.loss, tuple(graph.losses),
                                   each.loss in graph.metrics))
        elif loss.shape:
            report.add(LossNotScalar(each.place, each.loss, str(loss.type)))
        fit = fit and loss is not None and not loss.shape
    return fit
