"""Feeds: how fields of the data become inputs of the model.

    feed image = image -> random_crop(pad = 2) when training -> normalize(mean = 0.5, std = 0.5)

An input without a feed takes the field of its own name. Several names in one feed, and feeds of
several inputs from one field, draw independently: each draw is named by the input and the stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from netdsl.data.dataset import Field, FieldType
from netdsl.data.draws import Draws
from netdsl.data.transforms import TRANSFORMS, RowShape, Transform
from netdsl.diagnostics import Report
from netdsl.diagnostics.program import (
    FedTwice,
    FieldDoesNotFit,
    NotAnInput,
    NotFed,
    NotYetTrained,
    UnknownField,
    UnknownPhase,
)
from netdsl.diagnostics.rows import BrokenChain
from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed, Flow, Recipe, Reference, Stage
from netdsl.ir.tensor import TensorType, show_shape
from netdsl.registry import show
from netdsl.source import Span

PHASES = ("training", "validating")


@dataclass(frozen=True)
class Application:
    """A transform in a feed; `phase` None: always. `stream` names its draws."""

    transform: Transform
    phase: str | None
    stream: str


@dataclass(frozen=True)
class Pipe:
    """What makes one input from one field; `feed` None: the field of the input's own name."""

    input: str
    field: str
    stages: tuple[Application, ...] = ()
    feed: Feed | None = None

    @property
    def span(self) -> Span | None:
        return None if self.feed is None else self.feed.span

    def make(
        self,
        field: Field,
        index: np.ndarray | slice,
        dtype: np.dtype,
        phase: str,
        seed: int = 0,
        epoch: int = 0,
        batch: int = 0,
    ) -> np.ndarray:
        """The input's values for some rows of the field."""
        stages = [stage for stage in self.stages if stage.phase in (None, phase)]
        values = field.rows(index, np.dtype(np.float32) if stages else dtype)
        for stage in stages:
            values = stage.transform(values, Draws(seed, stage.stream, epoch, batch))
        return np.ascontiguousarray(values, dtype)


def bind_feeds(graph: Graph, feeds: Iterable[Feed], report: Report) -> dict[str, Pipe | None]:
    """A pipe for every input of the graph. What is wrong with a feed is reported, and the inputs it
    was meant for get None."""
    pipes: dict[str, Pipe | None] = {}
    for feed in feeds:
        for name in feed.inputs:
            if name not in graph.inputs:
                report.add(NotAnInput(feed.span, name, tuple(graph.inputs)))
            elif name in pipes:
                report.add(FedTwice(feed.span, name))
            else:
                pipes[name] = _bind_feed(name, feed, report)
    return {name: pipes[name] if name in pipes else Pipe(name, name) for name in graph.inputs}


def _bind_feed(name: str, feed: Feed, report: Report) -> Pipe | None:
    head = feed.value.head if isinstance(feed.value, Flow) else feed.value
    if isinstance(head, Recipe):
        report.add(NotYetTrained(feed.span, f"an input that follows a schedule (`{head.name}`)"))
        return None
    if not isinstance(head, Reference):
        report.add(BrokenChain(feed.span, "a feed begins with a field of the data",
                               f"`feed {name} = image -> …`"))
        return None
    if len(head.path) != 1:
        report.add(NotYetTrained(feed.span, f"`{'.'.join(head.path)}` as a feed"))
        return None
    stages = feed.value.stages if isinstance(feed.value, Flow) else ()
    applied = [_bind_stage(name, i, stage, report) for i, stage in enumerate(stages)]
    if None in applied:
        return None
    return Pipe(name, head.path[0], tuple(applied), feed)


def _bind_stage(input: str, place: int, stage: Stage, report: Report) -> Application | None:
    transform = TRANSFORMS.bind(stage.recipe, report)
    phase = None if stage.condition is None else show(stage.condition)
    if phase not in (None, *PHASES):
        report.add(UnknownPhase(stage.recipe.span, phase))
        return None
    if transform is None:
        return None
    return Application(transform, phase, f"{input}.{place}.{stage.recipe.name}")


def check_feeds(
    graph: Graph,
    pipes: Iterable[Pipe | None],
    types: Mapping[str, FieldType],
    report: Report,
) -> None:
    """Reports every pipe that cannot be fed from these fields: unknown fields, dtypes and shapes
    that do not fit the input."""
    for pipe in pipes:
        if pipe is None:
            continue
        name, type = pipe.input, graph.inputs[pipe.input].type
        if pipe.field in types:
            reason = misfit(pipe, types[pipe.field], type)
            if reason is not None:
                report.add(FieldDoesNotFit(pipe.span, name, str(type), pipe.field, reason))
        elif pipe.feed is None:
            report.add(NotFed(None, name, tuple(types)))
        else:
            report.add(UnknownField(pipe.span, pipe.field, tuple(types)))


def misfit(
    pipe: Pipe, field: FieldType, input: TensorType, phases: tuple[str, ...] = PHASES
) -> str | None:
    """Why the rows of a field, once through the pipe, cannot be the input; None when they can."""
    if not input.shape:
        return "the input is a single number, and a field has one for each row"
    if isinstance(input.shape[0], int):
        return (f"its first axis is fixed at {input.shape[0]}; the batch is a free dimension, "
                f"such as B")
    if pipe.stages and not input.is_float:
        return f"transforms make floats, not {input.dtype}"
    wanted, given = input.numpy_dtype.kind, field.dtype.kind
    if wanted != given and not (wanted == "f" and given in "ui") and {wanted, given} != {"u", "i"}:
        return f"{field.dtype} does not become {input.dtype}"
    return _shape_misfit(pipe, field.shape, input, phases)


def _shape_misfit(
    pipe: Pipe, row: RowShape, input: TensorType, phases: tuple[str, ...]
) -> str | None:
    for phase in phases:
        made = row
        for stage in pipe.stages:
            if stage.phase not in (None, phase):
                continue
            try:
                made = stage.transform.shape(made)
            except ValueError as error:
                return str(error)
        sizes = input.shape[1:]
        agree = len(made) == len(sizes) and all(
            have is None or not isinstance(want, int) or have == want
            for have, want in zip(made, sizes)
        )
        if not agree:
            have = show_shape(tuple("?" if size is None else size for size in made))
            when = f" when {phase}" if len(phases) > 1 else ""
            return f"its rows are {have}{when}, not {show_shape(sizes)}"
    return None
