"""One way out where shapes disagree. Each is tried before it is offered, beside the build and
without a trace in it: what is suggested works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from netdsl.build.builder import Builder, BuildSite
from netdsl.build.explain.class_labels import one_hot
from netdsl.build.explain.leading import leading_axes, written
from netdsl.build.explain.origins import Way, behind, short
from netdsl.build.explain.paddings import Types, padding, window_that_fits
from netdsl.build.explain.trials import (
    MOST_PARTS,
    apart,
    number_of,
    parsed,
    parts_of,
    tensor_of,
)
from netdsl.build.frame import Frame
from netdsl.build.values import LayerDefinition
from netdsl.diagnostics import Refused
from netdsl.ir.dim import TooComplex
from netdsl.ir.graph import Node, Value
from netdsl.ir.op import Op, RankError, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.language import ast
from netdsl.layers import WORDS
from netdsl.layers.arguments import BadArgument
from netdsl.layers.patterns import BadPattern
from netdsl.layers.words import REQUIRED, Word
from netdsl.source import Source, Span

Fits = Callable[[int, TensorType], bool]  # whether all is well with this type as that operand


# ------------------------------------------------------------------ two sides of an operator


def way_for_sides(
    b: Builder, frame: Frame, op: Op, sides: tuple[Value, Value], spans: tuple[Span, Span],
    ways: list[tuple[Way, ...]],
) -> str | None:
    """How `left op right` could fit; `ways` tells how the sizes came to be that differ."""

    def fits(i: int, type: TensorType) -> bool:
        types = [side.type for side in sides]
        types[i] = type
        if _is_number(sides[1 - i], spans[1 - i]):
            types[1 - i] = types[1 - i].with_dtype(type.dtype)
        return _accepts(op, types)

    passed = [node for pair in ways for way in pair for node in way.nodes]
    return (
        _cast(sides, spans, fits)
        or _aligned(b, frame, sides, spans, fits)
        or _guard(b, frame, sides, ways, fits)
        or padding(b, passed, lambda types: _accepts(op, [types.of(side) for side in sides]))
        or passed_on(b, frame, spans[0], lambda made: fits(0, made.type))
        or passed_on(b, frame, spans[1], lambda made: fits(1, made.type))
        or _projection(b, frame, sides, spans, ways, fits)
    )


def _is_number(value: Value, span: Span) -> bool:
    """Whether it is a number of the text, which becomes what stands beside it."""
    return value.node is not None and not value.node.op.inputs and value.node.span == span


def _accepts(op: Op, types: list[TensorType]) -> bool:
    try:
        op.shape(op.attrs(), *types)
    except (ShapeError, TooComplex):
        return False
    return True


def _cast(sides: tuple[Value, ...], spans: tuple[Span, ...], fits: Fits) -> str | None:
    for i, side in enumerate(sides):
        other = sides[1 - i].type
        dtype = other.dtype if other.is_float else "f32"
        if not side.type.is_float and fits(i, side.type.with_dtype(dtype)):
            return _instead(f"{dtype}({_bare(spans[i])})", spans[i])
    return None


def _bare(span: Span) -> str:
    """The text of an operand without parentheses around it, on one line."""
    text = " ".join(span.text.split())
    return text[1:-1] if text[0] == "(" and parsed(text[1:-1]) is not None else text


def _instead(text: str, span: Span) -> str:
    return f"`{text}` in place of `{short(span)}`"


def _aligned(
    b: Builder, frame: Frame, sides: tuple[Value, ...], spans: tuple[Span, ...], fits: Fits
) -> str | None:
    """Axes of size 1 for the side that lacks them, where it is plain which those are."""
    i = int(sides[0].type.rank > sides[1].type.rank)
    small, large = sides[i].shape, sides[1 - i].shape
    lacking = len(large) - len(small)
    leads, ends = large[: len(small)] == small, large[lacking:] == small
    kept = _keeping(b, frame, spans[i]) if lacking else None
    if kept is not None and fits(i, kept[0].type):
        return f"`{kept[1]}`"
    if not small or not lacking or leads == ends:
        return None
    shape = (*small, *(1,) * lacking) if leads else (*(1,) * lacking, *small)
    sizes = [written(frame, dim) for dim in shape]
    if None in sizes or not fits(i, sides[i].type.with_shape(*shape)):
        return None
    return _instead(f"reshape({spans[i].text}, [{', '.join(sizes)}])", spans[i])


def _keeping(b: Builder, frame: Frame, span: Span) -> tuple[Value, str] | None:
    """The reduction at a place, with the axes that it reduced left in place."""
    text = behind(frame, span).text
    expr = parsed(text)
    call = expr.stages[-1].value if isinstance(expr, ast.Pipeline) else expr
    if not isinstance(call, ast.Call) or not isinstance(call.callee, ast.Name):
        return None
    word = WORDS.get(call.callee.id)
    if word is None or all(attribute.name != "keep" for attribute in word.attributes):
        return None
    text = f"{text[:-1]}{', ' if call.arguments else ''}keep = true)"
    made = tensor_of(b, frame, parsed(text))
    return None if made is None else (made, " ".join(text.split()))


# ------------------------------------------------------------------ attributes not passed on


def way_for_result(
    b: Builder, frame: Frame, result: Any, passed: list[Node], matches: Callable[[Value], bool]
) -> str | None:
    """How what a layer returns (a `body.Returned`) could match its signature."""
    for name in ("flatten", "global_avgpool"):
        made = _wrapped(b, frame, name, result.value)
        if made is not None and matches(made):
            return f"`-> {name}` at its end"
    return (
        padding(b, passed, lambda types: matches(Value(types.of(result.value))))
        or passed_on(b, frame, result.span, matches)
    )


def passed_on(
    b: Builder, frame: Frame, span: Span, good: Callable[[Value], bool]
) -> str | None:
    """An attribute of the layer, such as its stride, that a layer made in the expression at `span`
    should get and does not."""
    instance, span = frame.body.instance, behind(frame, span)
    expr = None if instance is None else parsed(span.text)
    for part in () if expr is None else parts_of(expr, MOST_PARTS):
        if not isinstance(part, ast.Construct) or not isinstance(part.callee, ast.Name):
            continue
        given = {argument.name for argument in part.arguments}
        for name in _optional(frame, part.callee.id):
            if name in given or name not in instance.attributes:
                continue
            end, before = part.span.end - 1, ", " if part.arguments else ""
            text = f"{span.text[:end]}{before}{name} = {name}{span.text[end:]}"
            made = tensor_of(b, frame, parsed(text))
            if made is not None and good(made):
                return f"`{name} = {name}` in `{short(part.span)}`"
    return None


def _optional(frame: Frame, name: str) -> list[str]:
    """The attributes that a layer has a default for."""
    definition = frame.find(name)
    if isinstance(definition, LayerDefinition):
        declared = definition.declaration.attributes
        return [a.name.id for a in declared if a.default is not None]
    attributes = WORDS[name].attributes if name in WORDS else ()
    return [a.name for a in attributes if a.default is not REQUIRED]


# ------------------------------------------------------------------ shortcuts


def _guard(
    b: Builder, frame: Frame, sides: tuple[Value, ...], ways: list[tuple[Way, ...]], fits: Fits
) -> str | None:
    """The `when` of a stage that should not have been skipped."""
    for pair in ways:
        for i, way in enumerate(pair):
            if way.skipped is None:
                continue
            stage = replace(way.skipped, condition=None)
            head = ast.Name("·", span=stage.span)
            pipeline = ast.Pipeline(head, (stage,), span=stage.span)
            made = tensor_of(b, frame, pipeline, {"·": sides[i]})
            if made is not None and fits(i, made.type):
                have, want = way.written, pair[1 - i].written
                if have.isidentifier() and want and _differ(b, frame, have, want):
                    return _condition(way.skipped, have, want)
                if _strides_by_name(way.skipped) and _differ(b, frame, "stride", "1"):
                    return _condition(way.skipped, "stride", "1")
                name = way.skipped.label or short(way.skipped.value.span)
                return f"`{name}` without its `when`"
    return None


def _differ(b: Builder, frame: Frame, have: str, want: str) -> bool:
    expr = parsed(f"{have} != {want}")
    return expr is not None and number_of(b, frame, expr) is True


def _strides_by_name(stage: ast.Stage) -> bool:
    """Whether a stage passes on the attribute `stride` of its layer."""
    return any(isinstance(part, ast.Name) and part.id == "stride"
               for part in parts_of(stage.value, MOST_PARTS))


def _condition(stage: ast.Stage, have: str, want: str) -> str:
    """When the stage is needed: its condition with `have != want`, the sizes as written."""
    terms = [stage.condition]
    if isinstance(stage.condition, ast.Chain) and stage.condition.rest[0][0] == "or":
        terms = [stage.condition.first, *(term for _, term in stage.condition.rest)]
    needed = f"{have} != {want}"
    others = [short(term.span) for term in terms if not _compares(term, have)]
    return f"`when {' or '.join([*others, needed] if have == 'stride' else [needed, *others])}`"


def _compares(term: ast.Expr, name: str) -> bool:
    """Whether a condition asks if this size is another: the wrong one, then."""
    sides = (term.left, term.right) if isinstance(term, ast.Compare) else ()
    return any(isinstance(side, ast.Name) and side.id == name for side in sides)


def _projection(
    b: Builder, frame: Frame, sides: tuple[Value, ...], spans: tuple[Span, ...],
    ways: list[tuple[Way, ...]], fits: Fits,
) -> str | None:
    """A layer where the channels or features differ: on the side that came in, the shortcut, else
    on the one that is nearer to its source."""
    if not ways or frame.labels.loop == "unlabelled":
        return None
    pair = ways[0]
    kind = {"channels": "conv", "features": "linear"}.get(pair[0].name or pair[1].name)
    came_in = [side in frame.body.operands for side in sides]
    i = came_in.index(True) if sum(came_in) == 1 else int(len(pair[0].nodes) > len(pair[1].nodes))
    other, text = pair[1 - i], _bare(spans[i])
    axis = 1 if kind == "conv" else sides[i].type.rank - 1
    size = sides[1 - i].shape[axis]
    if kind is None or not isinstance(size, int):
        return None
    label, count = _free_label(frame, spans[i]), other.written or str(size)
    attributes = count if kind == "linear" else f"{count}, 1"
    for more in ("", *_strides(frame, sides[i], sides[1 - i])):
        new = f"({text} -> {label}: {kind}{{{attributes}{more}}})"
        made = tensor_of(b, frame, parsed(new))
        if made is not None and fits(i, made.type):
            return _instead(new, spans[i])
    return None


def _free_label(frame: Frame, span: Span) -> str:
    """A name for a projection that the body does not use yet."""
    instance = frame.body.instance
    definition = None if instance is None else instance.definition
    body = span.source.text if definition is None else definition.declaration.span.text
    labels = ("proj", "shortcut", "project", "projection")
    return next((label for label in labels if f"{label}:" not in body), "proj_2")


def _strides(frame: Frame, value: Value, like: Value) -> Iterator[str]:
    """The stride that brings the rows of one tensor to those of another, if there is one."""
    have, want = value.shape[2:3], like.shape[2:3]
    if not have or not isinstance(have[0], int) or not isinstance(want[0], int):
        return
    stride = -(-have[0] // max(want[0], 1))
    if stride > 1:
        named = frame.find("stride") == stride
        yield f", stride = {'stride' if named else stride}"


# ------------------------------------------------------------------ operands of a word or layer


def way_for_operands(
    b: Builder, frame: Frame, word: Word, place: Span, operands: list, attributes: dict,
    passed: list[Node], error: ShapeError,
) -> str | None:
    """How a word could take its operands, which are given as `construct.Given` or None."""
    given = [g for g in operands if g is not None]
    values = [g.value for g in given]

    def fits(i: int, made: Value | None) -> bool:
        changed = [*values[:i], made, *values[i + 1 :]]
        return made is not None and _applied(b, frame, word, changed, attributes) is not None

    if len(given) == len(operands):
        if isinstance(error, RankError) and (shape := leading_axes(frame, given, fits)):
            return shape
        axis = _other_axis(b, frame, word, values, attributes)
        if axis is not None:
            return f"`axis = {axis}`"
        if isinstance(error, RankError) and (flat := _flat(b, values)) is not None:
            return flat
        for i, operand in reversed(list(enumerate(given))):
            for name in ("f32", *WRAPPED.get(word.name, ())):
                if fits(i, _wrapped(b, frame, name, operand.value)):
                    return _around(name, operand.span, place)
        if (form := one_hot(b, frame, word, given, fits)) is not None:
            return _instead(form.format(_bare(given[1].span)), given[1].span)
        if len(given) == 2 and _applied(b, frame, word, values[::-1], attributes) is not None:
            return _swapped(given[0].span, given[1].span, place)
    again = padding(b, passed, lambda types: _accepts_again(error, types))
    return again or window_that_fits(error)


def _other_axis(
    b: Builder, frame: Frame, word: Word, values: list[Value], attributes: dict
) -> int | None:
    """The one axis along which a function would take its operands."""
    if not isinstance(attributes.get("axis"), int) or not values or len(values) < 2:
        return None
    good = [
        axis for axis in range(values[0].type.rank)
        if _applied(b, frame, word, values, attributes | {"axis": axis}) is not None
    ]
    return good[0] if len(good) == 1 else None


def _flat(b: Builder, values: list[Value]) -> str | None:
    """Rows without axes of their own, where a `linear` made the first operand of a loss."""
    if len(values) != 2 or values[1].type.rank != 1:
        return None
    value = values[0]
    while value.node is not None and len(value.node.inputs) == 1:
        value = value.node.inputs[0]
    instance = None if value.node is None else b.instances.get(value.node.path)
    if instance is None or instance.kind != "linear":
        return None
    rows = value.node.inputs[0].shape[:1]  # flattened, they are all that is left beside classes
    return f"`-> flatten` before `{short(instance.span)}`" if rows == values[1].shape else None


WRAPPED = {  # functions that an operand of a word may lack
    "matmul": ("transpose",), "cross_entropy": ("global_avgpool",),
    "accuracy": ("global_avgpool",),
}


def way_for_operand(
    b: Builder, caller: Frame, given: Any, place: Span, matches: Callable[[Value], bool]
) -> str | None:
    """How an operand could match what a layer's signature says of it."""
    for name in ("f32", "flatten", "global_avgpool", "transpose"):
        made = _wrapped(b, caller, name, given.value)
        if made is not None and matches(made):
            return _around(name, given.span, place)
    return None


def _wrapped(b: Builder, frame: Frame, name: str, value: Value) -> Value | None:
    """f(value), if that is another tensor; casts are for what is no float."""
    if name == "f32" and value.type.is_float:
        return None
    call = ast.Call(ast.Name(name, span=_NOWHERE), (_argument("·"),), span=_NOWHERE)
    made = tensor_of(b, frame, call, {"·": value})
    return None if made is None or made.type == value.type else made


_NOWHERE = Span(Source("suggestion", "·"), 0, 1)


def _argument(name: str) -> ast.Argument:
    return ast.Argument(None, ast.Name(name, span=_NOWHERE), span=_NOWHERE)


def _around(name: str, span: Span, place: Span) -> str:
    """`name` put around an operand: in the call that `place` is, or before it in a pipeline."""
    if place.start <= span.start and span.end <= place.end:
        return _instead(f"{name}({short(span)})", span)
    return f"`-> {name}` before `{short(place)}`"


def _swapped(first: Span, second: Span, place: Span) -> str:
    text, start = place.text, place.start
    if start <= first.start and second.end <= place.end:
        text = (text[: first.start - start] + second.text
                + text[first.end - start : second.start - start] + first.text
                + text[second.end - start :])
        return f"`{' '.join(text.split())}`"
    if first.text.isidentifier() and start <= second.start and second.end <= place.end:
        call = text[: second.start - start] + first.text + text[second.end - start :]
        return f"`{second.text} -> {' '.join(call.split())}`"
    return "the operands the other way round"


def _applied(
    b: Builder, frame: Frame, word: Word, values: list[Value], attributes: dict
) -> Any:
    """What a function makes of other operands; None where it refuses them, and for layers, whose
    parameters have their shapes."""
    if word.owns:
        return None
    site = BuildSite(apart(b), frame, "", _NOWHERE)
    try:
        return word.apply(site, *values, **attributes)
    except (ShapeError, BadArgument, BadPattern, TooComplex, Refused):
        return None


def _accepts_again(error: ShapeError, types: Types) -> bool:
    if error.node is None:
        return False
    op, attrs, inputs = error.node
    try:
        op.shape(attrs, *(None if v is None else types.of(v) for v in inputs))
    except (ShapeError, TooComplex):
        return False
    return True
