"""Which of two figures is better: what picks the best epochs, ends a training early and lowers a
learning rate on a plateau.

A loss is better when it is smaller, a share of rows (accuracy) when it is larger. Of any other
metric nobody knows, so that a program which goes by one says it: `better = larger`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated

from netdsl.diagnostics import Problem
from netdsl.diagnostics.program import UnknownDirection, UnknownFigure
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import Reference, TrainProgram
from netdsl.layers.arguments import Kind
from netdsl.registry import instance, word_among

VALIDATION = "val"  # the first segment of a figure of the validation rows
Figure = Annotated[
    Reference, Kind("a figure of the run such as `val.top1`", instance(Reference))
]
Better = Annotated[str, Kind("larger or smaller", word_among("larger", "smaller"))]


@dataclass(frozen=True)
class Judge:
    """`figure` is the name of a loss or metric, measured on the validation rows of each epoch."""

    figure: str
    larger: bool

    def is_better(self, now: float, before: float | None, margin: float = 0.0) -> bool:
        """Whether a value beats another, by more than that part of it. NaN beats nothing."""
        if before is None or not isfinite(before):
            return isfinite(now)
        ahead = now - before if self.larger else before - now
        return ahead > margin * abs(before)

    def best(self, values: Sequence[float], count: int) -> tuple[int, ...]:
        """The places of so many best values, the best first; of equals the earlier."""
        sign = -1 if self.larger else 1
        sound = [place for place, value in enumerate(values) if isfinite(value)]
        return tuple(sorted(sound, key=lambda place: (sign * values[place], place))[:count])

    def waited(self, values: Sequence[float]) -> list[int]:
        """For each value, how many there were since the last that was better than all before."""
        best, waits = None, []
        for value in values:
            better = self.is_better(value, best)
            best = value if better else best
            waits.append(0 if better else waits[-1] + 1 if waits else 1)
        return waits


def judge_of(graph: Graph, program: TrainProgram) -> Judge:
    """By what the best epoch is known: the first metric if it is a share of rows. Of any other
    metric nobody knows which way is better, so then it is the first minimised loss."""
    first = next(iter(graph.metrics), None)
    if first is not None and is_share(graph.metrics[first]):
        return Judge(first, larger=True)
    return Judge(program.steps[0].minimize[0].loss, larger=False)


def judge_by(graph: Graph, figure: Reference, better: str | None) -> Judge | None:
    """The judge that a program names, as in `val.top1`. None where nobody knows which way is
    better. Raises KeyError for a figure that does not exist."""
    place, _, name = str(figure).partition(".")
    if place != VALIDATION or not (name in graph.losses or name in graph.metrics):
        raise KeyError(str(figure))
    if better is not None:
        return Judge(name, better == "larger")
    if name in graph.losses:
        return Judge(name, larger=False)
    return Judge(name, larger=True) if is_share(graph.metrics[name]) else None


def misfits(graph: Graph, figure: Reference, better: str | None) -> Iterator[Problem]:
    """What is wrong with a figure that a program goes by."""
    try:
        if judge_by(graph, figure, better) is None:
            yield UnknownDirection(figure.span, str(figure))
    except KeyError:
        yield UnknownFigure(figure.span, str(figure), figures_of(graph))


def figures_of(graph: Graph) -> tuple[str, ...]:
    """The figures that a program may name."""
    return tuple(f"{VALIDATION}.{name}" for name in (*graph.metrics, *graph.losses))


def is_share(metric: Value) -> bool:
    """Whether a metric is a mean over true and false, of all rows or of those that count: a chain
    of nodes with one operand each, or a division of sums, leads from it to a bool tensor."""
    value = metric
    while value.node is not None and value.dtype != "bool":
        if len(value.node.inputs) > 1 and (value.node.op.name != "divide" or value.shape):
            break
        value = value.node.inputs[0]
    return value.dtype == "bool"
