"""Feeds: how fields of the data become inputs of the model.

    feed image = image -> random_crop(pad = 2) when training -> normalize(mean = 0.5, std = 0.5)
    feed noise = normal(std = 1)
    feed momentum = cosine(0.996, 1.0)
    feed freq = data.frequencies

An input without a feed takes the field of its own name. Several names in one feed, and feeds of
several inputs from one field, draw independently: each draw is named by the input and the stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from netdsl.data.dataset import Field, FieldType
from netdsl.data.draws import Draws
from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.transforms import TRANSFORMS, RowShape, Transform
from netdsl.diagnostics import Report
from netdsl.diagnostics.feeds import (
    DoesNotFit,
    FedTwice,
    NotAnInput,
    NotFed,
    UnknownFact,
    UnknownField,
    UnknownPhase,
)
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.program import NotYetTrained
from netdsl.diagnostics.rows import BrokenChain
from netdsl.diagnostics.suggest import nearest
from netdsl.ir.graph import Graph
from netdsl.ir.program import UNKNOWN, Feed, Flow, Recipe, Reference, Setting, Stage
from netdsl.ir.tensor import TensorType, show_shape
from netdsl.registry import MOST_PROBLEMS, show
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
        """Where the feed stands; None without one."""
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


@dataclass(frozen=True)
class Unmade:
    """What a feed says that this version checks and does not make; `what` names it. A `schedule`
    is looked up in `training`, a `fact` is something that the source knows of all its rows."""

    input: str
    feed: Feed
    what: str
    schedule: Setting = None
    fact: str | None = None


Way: TypeAlias = Pipe | Unmade | None  # None: what is wrong was reported


def bind_feeds(graph: Graph, feeds: Iterable[Feed], report: Report) -> dict[str, Way]:
    """How every input of the graph is fed. A list of inputs is fed by its name, each of them with
    draws of its own. What is wrong with a feed is reported, and its inputs get None."""
    ways: dict[str, Way] = {}
    places: dict[str, Span | None] = {}
    meant = inputs_by_name(graph)
    for feed in feeds:
        for number, name in enumerate(feed.inputs):
            if len(report.problems) >= MOST_PROBLEMS:
                break
            span = feed.spans[number] if feed.spans else feed.span
            if name not in meant:
                report.add(NotAnInput(span, name, tuple(meant)))
                likely = meant.get(nearest(name, meant) or "", ())  # it is not missing too
                ways |= {input: None for input in likely if input not in ways}
            elif name in places:
                report.add(FedTwice(span, name, places[name]))
            else:
                places[name] = span
                ways |= {input: _bind_feed(graph, input, feed, report) for input in meant[name]}
    return {name: ways[name] if name in ways else Pipe(name, name) for name in graph.inputs}


def inputs_by_name(graph: Graph) -> dict[str, list[str]]:
    """The inputs that a feed means by a name: that one, or every one of a list."""
    meant: dict[str, list[str]] = {}
    for input in graph.inputs:
        meant.setdefault(base_name(input), []).append(input)
    return meant


def base_name(input: str) -> str:
    """The name under which an input is declared and fed: `small` for `small.3`."""
    return input.partition(".")[0]


def head_of(feed: Feed) -> Setting:
    """What a feed begins with."""
    return feed.value.head if isinstance(feed.value, Flow) else feed.value


def _bind_feed(graph: Graph, name: str, feed: Feed, report: Report) -> Way:
    value, head, type = feed.value, head_of(feed), graph.inputs[name].type
    if value is UNKNOWN:
        return None
    if isinstance(head, Recipe) and head.name in RANDOM_DRAWS.rows:
        return _bind_draw(name, feed, head, type, report)
    if isinstance(head, Recipe) and head.name in TRANSFORMS.rows:
        report.add(BrokenChain(head.span, f"`{head.name}` transforms something: a feed begins with "
                                          "what it is", f"`feed {base_name(name)} = image -> …`"))
        return None
    if isinstance(head, (Recipe, int, float, Fraction)) and not isinstance(head, bool):
        shown = f"`{head.name}`" if isinstance(head, Recipe) else show(head)
        if type.shape or not type.is_float:
            reason = "a schedule gives one float at a time: it feeds an input such as `f32[]`"
            report.add(DoesNotFit(feed.span, base_name(name), str(type), shown, reason))
            return None
        return Unmade(name, feed, f"an input that follows a schedule ({shown})", schedule=value)
    if not isinstance(head, Reference):
        field = head if isinstance(head, str) and head.isidentifier() else "image -> …"
        report.add(BrokenChain(feed.span, "a feed begins with a field of the data, random draws or "
                                          "a schedule", f"`feed {base_name(name)} = {field}`"))
        return None
    if len(head.path) == 2 and head.path[0] == "data" and not isinstance(value, Flow):
        return Unmade(name, feed, f"`{head}` as a feed", fact=head.path[1])
    if len(head.path) != 1:
        report.add(BrokenChain(head.span, f"`{head}` is neither a field of the data nor `data.NAME`"
                                          " alone", f"`feed {base_name(name)} = image -> …`"))
        return None
    applied = _bind_stages(name, feed, report)
    return None if applied is None else Pipe(name, head.path[0], applied, feed)


def _bind_draw(
    name: str, feed: Feed, head: Recipe, type: TensorType, report: Report
) -> Unmade | None:
    draw, stages = RANDOM_DRAWS.bind(head, report), _bind_stages(name, feed, report)
    free = [str(dim) for dim in type.shape[1:] if not isinstance(dim, int)]
    reason = None
    if not type.is_float:
        reason = f"it draws floats, not {type.dtype}"
    elif not type.shape:
        reason = "the input is a single number, and there is a draw for each row"
    elif free:
        reason = f"how large is `{free[0]}`? Only the batch may be free where nothing is read"
    if reason is not None:
        report.add(DoesNotFit(feed.span, base_name(name), str(type), f"`{show(head)}`", reason))
    if draw is None or stages is None or reason is not None:
        return None
    return Unmade(name, feed, f"an input that is drawn (`{head.name}`)")


def _bind_stages(input: str, feed: Feed, report: Report) -> tuple[Application, ...] | None:
    stages = feed.value.stages if isinstance(feed.value, Flow) else ()
    applied = [_bind_stage(input, i, stage, report) for i, stage in enumerate(stages)]
    return None if None in applied else tuple(applied)


def _bind_stage(input: str, place: int, stage: Stage, report: Report) -> Application | None:
    transform = TRANSFORMS.bind(stage.recipe, report)
    phase = None if stage.condition is None else show(stage.condition)
    if phase not in (None, *PHASES):
        report.add(UnknownPhase(getattr(stage.condition, "span", None) or stage.recipe.span, phase))
        return None
    if transform is None:
        return None
    return Application(transform, phase, f"{input}.{place}.{stage.recipe.name}")


def pipes_of(ways: Iterable[Way], report: Report) -> list[Pipe]:
    """Those that this version makes; the others are told."""
    pipes = []
    for way in ways:
        what = unmade(way)
        if what is not None:
            report.add(NotYetTrained(way.feed.span, what))
        if isinstance(way, Pipe):
            pipes.append(way)
    return pipes


def unmade(way: Way) -> str | None:
    """What of a feed this version checks and does not do; None where it does all."""
    if not isinstance(way, Pipe):
        return None if way is None else way.what
    later = [stage.transform for stage in way.stages if stage.transform.pending]
    names = listed(tuple(dict.fromkeys(TRANSFORMS.name_of(type(each)) for each in later)))
    return f"the transform{'s' if len(later) > 1 else ''} {names}" if later else None


def check_feeds(
    graph: Graph,
    ways: Iterable[Way],
    types: Mapping[str, FieldType],
    report: Report,
    span: Span | None = None,
) -> None:
    """Reports every pipe that cannot be fed from these fields: unknown fields, dtypes and shapes
    that do not fit the input. `span` is where the data are named."""
    unfed: dict[str, bool] = {}  # by name, whether it is a single number
    for way in ways:
        if not isinstance(way, Pipe):
            continue
        name, type = way.input, graph.inputs[way.input].type
        if way.field in types:
            reason = misfit(way, types[way.field], type)
            if reason is not None:
                what = f"the field `{way.field}`"
                report.add(DoesNotFit(way.span or span, base_name(name), str(type), what, reason))
        elif way.feed is None:
            unfed[base_name(name)] = not type.shape
        else:
            report.add(UnknownField(head_of(way.feed).span, way.field, tuple(types)))
    if unfed:
        report.add(NotFed(span, tuple(unfed), next(iter(unfed.values())), tuple(types)))


def check_facts(
    graph: Graph, ways: Iterable[Way], facts: Mapping[str, tuple[int | None, ...]], report: Report
) -> None:
    """Reports every `data.NAME` that the source does not know or that is not of the input's shape;
    `facts` gives the shape of each."""
    for way in ways:
        if not isinstance(way, Unmade) or way.fact is None:
            continue
        span, type = head_of(way.feed).span, graph.inputs[way.input].type
        if way.fact not in facts:
            report.add(UnknownFact(span, way.fact, tuple(facts)))
        elif not _agree(facts[way.fact], type.shape) or not type.is_float:
            shape = show_shape(tuple("?" if size is None else size for size in facts[way.fact]))
            report.add(DoesNotFit(span, base_name(way.input), str(type), f"`data.{way.fact}`",
                                  f"it is f32{shape}"))


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
        if not _agree(made, sizes):
            have = show_shape(tuple("?" if size is None else size for size in made))
            when = f" when {phase}" if len(phases) > 1 else ""
            return f"its rows are {have}{when}, not {show_shape(sizes)}"
    return None


def _agree(row: RowShape, sizes: tuple) -> bool:
    """Whether a shape can be the other; sizes that only the files or the feeding decide can."""
    return len(row) == len(sizes) and all(
        have is None or not isinstance(want, int) or have == want
        for have, want in zip(row, sizes)
    )
