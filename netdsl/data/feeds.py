"""Feeds: how fields of the data become inputs of the model.

    feed image = image -> random_crop(pad = 2) when training -> normalize(mean = 0.5, std = 0.5)
    feed noise = normal(std = 1)
    feed momentum = cosine(0.996, 1.0)
    feed freq = data.frequencies

An input without a feed takes the field of its own name. Several names in one feed, and feeds of
several inputs from one field, draw independently: each draw is named by the input and the stage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType

from netdsl.data.dataset import FieldType, Split, facts_of
from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.pixels import Normalize
from netdsl.data.transform import RowShape
from netdsl.data.transforms import TRANSFORMS
from netdsl.data.ways import Application, Drawn, Known, Pipe, Scheduled, Way, of_phase, passed
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.feeds import (
    DoesNotFit,
    FedTwice,
    NotAnInput,
    NotBrightness,
    NotFed,
    UnknownFact,
    UnknownField,
    UnknownPhase,
)
from netdsl.diagnostics.rows import BrokenChain
from netdsl.diagnostics.suggest import nearest
from netdsl.ir.graph import Graph
from netdsl.ir.program import UNKNOWN, Feed, Flow, Recipe, Reference, Setting, Stage
from netdsl.ir.tensor import TensorType, show_shape
from netdsl.registry import MOST_PROBLEMS, show
from netdsl.source import Span

PHASES = ("training", "validating")


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
    return {name: ways[name] if name in ways else Pipe(name, name, sizes=_sizes(value.type))
            for name, value in graph.inputs.items()}


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
        if type.shape and isinstance(head, Recipe) and nearest(head.name, RANDOM_DRAWS.rows):
            RANDOM_DRAWS.bind(head, report)  # `randn`: it tells which draw is meant
            return None
        shown = f"`{head.name}`" if isinstance(head, Recipe) else show(head)
        if type.shape or not type.is_float:
            reason = "a schedule gives one float at a time: it feeds an input such as `f32[]`"
            report.add(DoesNotFit(feed.span, base_name(name), str(type), shown, reason))
            return None
        return Scheduled(name, feed, value)
    if not isinstance(head, Reference):
        field = head if isinstance(head, str) and head.isidentifier() else "image -> …"
        report.add(BrokenChain(feed.span, "a feed begins with a field of the data, random draws or "
                                          "a schedule", f"`feed {base_name(name)} = {field}`"))
        return None
    if len(head.path) == 2 and head.path[0] == "data" and not isinstance(value, Flow):
        return Known(name, feed, head.path[1])
    if len(head.path) != 1:
        report.add(BrokenChain(head.span, f"`{head}` is neither a field of the data nor `data.NAME`"
                                          " alone", f"`feed {base_name(name)} = image -> …`"))
        return None
    applied = _bind_stages(name, feed, report)
    return None if applied is None else Pipe(name, head.path[0], applied, feed, _sizes(type))


def _sizes(type: TensorType) -> RowShape:
    """The sizes of a row that an input declares."""
    return tuple(dim if isinstance(dim, int) else None for dim in type.shape[1:])


def _bind_draw(
    name: str, feed: Feed, head: Recipe, type: TensorType, report: Report
) -> Drawn | None:
    draw, stages = RANDOM_DRAWS.bind(head, report), _bind_stages(name, feed, report)
    free = [str(dim) for dim in type.shape[1:] if not isinstance(dim, int)]
    reason = None
    if not type.is_float:
        reason = f"it draws floats, not {type.dtype}"
    elif not type.shape:
        reason = "the input is a single number, and there is a draw for each row"
    elif isinstance(type.shape[0], int):
        reason = (f"its first axis is fixed at {type.shape[0]}; the batch is a free dimension, "
                  "such as B")
    elif free:
        reason = f"how large is `{free[0]}`? Only the batch may be free where nothing is read"
    if draw is None or stages is None:
        return None
    try:
        reason = reason or _changes(stages, tuple(type.shape[1:]))
    except Refused as refused:
        for problem in refused.problems:
            report.add(problem)
        return None
    if reason is not None:
        report.add(DoesNotFit(feed.span, base_name(name), str(type), f"`{show(head)}`", reason))
        return None
    return Drawn(name, feed, draw, f"{name}.{head.name}", tuple(type.shape[1:]), stages)


def _changes(stages: tuple[Application, ...], sizes: tuple[int, ...]) -> str | None:
    """Why draws of the input's own shape are not of it after the stages; None where they are."""
    for phase in PHASES:
        made = passed(of_phase(stages, phase), sizes)
        if made != sizes:
            return f"its rows are {show_shape(made)} when {phase}, not {show_shape(sizes)}"
    return None


def _bind_stages(input: str, feed: Feed, report: Report) -> tuple[Application, ...] | None:
    stages = feed.value.stages if isinstance(feed.value, Flow) else ()
    applied = [_bind_stage(input, i, stage, report) for i, stage in enumerate(stages)]
    if None in applied:
        return None
    for i, stage in enumerate(applied):
        if stage.transform.unit_range and any(_moves_black(e, stage) for e in applied[:i]):
            reason = "behind `normalize` black is no longer 0"
            report.add(NotBrightness(stage.span, stage.name, reason,
                                     f"`{stage.name}` before `normalize`"))
    return tuple(applied)


def _moves_black(earlier: Application, later: Application) -> bool:
    """Whether 0 is another number after one stage, in a phase in which both work."""
    together = None in (earlier.phase, later.phase) or earlier.phase == later.phase
    transform = earlier.transform
    return together and isinstance(transform, Normalize) and any(transform.mean)


def _bind_stage(input: str, place: int, stage: Stage, report: Report) -> Application | None:
    recipe, condition = stage.recipe, stage.condition
    transform = TRANSFORMS.bind(recipe, report)
    phase = None if condition is None else show(condition)
    if phase not in (None, *PHASES):
        report.add(UnknownPhase(getattr(condition, "span", None) or recipe.span, phase))
        return None
    if transform is None:
        return None
    return Application(recipe.name, transform, phase, f"{input}.{place}.{recipe.name}", recipe.span)


def check_feeds(
    graph: Graph,
    ways: Iterable[Way],
    types: Mapping[str, FieldType],
    report: Report,
    span: Span | None = None,
    offers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Reports every pipe that cannot be fed from these fields: unknown fields, dtypes and shapes
    that do not fit the input. `span` is where the data are named, `offers` are the fields that
    arguments of the source would make."""
    ways = list(ways)
    unfed: dict[str, Pipe] = {}
    for way in ways:
        if not isinstance(way, Pipe):
            continue
        name, type = way.input, graph.inputs[way.input].type
        if way.field in types:
            try:
                reason = misfit(way, types[way.field], type)
            except Refused as refused:
                report.add(refused.problems[0])
                continue
            if reason is not None:
                what = f"the field `{way.field}`"
                report.add(DoesNotFit(way.span or span, base_name(name), str(type), what, reason))
        elif way.feed is None:
            unfed.setdefault(base_name(name), way)
        else:
            report.add(UnknownField(head_of(way.feed).span, way.field, tuple(types),
                                    facts_of(types)))
    if unfed:
        report.add(NotFed(span, tuple(unfed), tuple(types), _way_to_feed(graph, unfed, types),
                          _asked_for(ways, unfed, types, offers)))


def _way_to_feed(graph: Graph, unfed: Mapping[str, Pipe], types: Mapping[str, FieldType]) -> str:
    """What could feed the first of these inputs: a field that fits it, or one to transform."""
    way = next(iter(unfed.values()))
    type = graph.inputs[way.input].type
    if not type.shape:
        return "cosine(0.99, 1.0)"
    fitting = [name for name, field in types.items() if misfit(way, field, type) is None]
    return fitting[0] if fitting else f"{next(iter(types), '…')} -> …"


def _asked_for(ways: Iterable[Way], unfed: Collection[str], types: Collection[str],
               offers: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of the source that would make all of these inputs' fields, and take none away
    that another input needs: where `x` gathers columns, they are no fields of their own."""
    read = {way.field for way in ways if isinstance(way, Pipe) and way.field in types}
    gathers = "x" in unfed and read - {"label"}
    if gathers or not all(name in offers for name in unfed):
        return ()
    return tuple(offers[name] for name in offers if name in unfed)


def check_facts(
    graph: Graph, ways: Iterable[Way], facts: Mapping[str, tuple[int | None, ...]], report: Report
) -> None:
    """Reports every `data.NAME` that the source does not know or that is not of the input's shape;
    `facts` gives the shape of each."""
    for way in ways:
        if not isinstance(way, Known):
            continue
        span, type = head_of(way.feed).span, graph.inputs[way.input].type
        if way.fact not in facts:
            report.add(UnknownFact(span, way.fact, tuple(facts)))
        elif not _agree(facts[way.fact], type.shape) or not type.is_float:
            shape = show_shape(tuple("?" if size is None else size for size in facts[way.fact]))
            report.add(DoesNotFit(span, base_name(way.input), str(type), f"`data.{way.fact}`",
                                  f"it is f32{shape}"))


def check_brightness(ways: Iterable[Way], split: Split) -> Iterator[Problem]:
    """What is wrong with feeds of colours from these fields: whole numbers that nothing makes parts
    of full brightness."""
    for way in ways:
        if not isinstance(way, Pipe) or not way.stages or split[way.field].unit != 1:
            continue
        dtype, first = split[way.field].type.dtype, way.stages[0]
        if first.transform.unit_range and dtype.kind in "ui":
            reason = f"the field `{way.field}` holds whole numbers, {dtype}"
            yield NotBrightness(first.span, first.name, reason,
                                "`-> normalize(mean = 0, std = 255)` before it")


def misfit(
    pipe: Pipe, field: FieldType, input: TensorType, phases: tuple[str, ...] = PHASES
) -> str | None:
    """Why the rows of a field, once through the pipe, cannot be the input; None when they can.
    Raises Refused (N540) where a transform cannot work on them."""
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
    sizes = input.shape[1:]
    for phase in phases:
        made = passed(of_phase(pipe.stages, phase), field.shape)
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
