"""What is told where shapes disagree: the tensors with their shapes, how each size came to be, and
one way out. Each function gives the facts of a problem of `diagnostics.shapes` behind its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.origins import Way, axis_origins, declared_cause, follow, rank_cause
from netdsl.build.explain.repairs import (
    way_for_operand,
    way_for_operands,
    way_for_result,
    way_for_sides,
)
from netdsl.build.frame import Frame
from netdsl.build.values import show
from netdsl.diagnostics import Mark
from netdsl.diagnostics.origins import AxisOrigin
from netdsl.ir.assumptions import known
from netdsl.ir.graph import Node, Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.ir.tensor import show_shape
from netdsl.language import ast
from netdsl.layers.words import Word
from netdsl.source import Span

Matches = Callable[[Value], bool]  # whether a tensor has the declared type


def sides_differ(
    b: Builder, frame: Frame, operator: str, sides: tuple[Value, Value],
    spans: tuple[Span, Span], error: ShapeError,
) -> dict[str, Any]:
    """The facts of `SidesDiffer`, where the operation of `operator` raised `error`."""
    left, right = sides
    mixed = left.dtype != right.dtype
    full = mixed or not (error.axes or isinstance(error, RankError))
    marks = [Mark(span, _named(frame, side, span, full)) for side, span in zip(sides, spans)]
    facts: dict[str, Any] = {"operator": operator, "left": marks[0], "right": marks[1]}
    if not error.axes:
        facts["way"] = way_for_sides(b, frame, error.node[0], sides, spans, [])
        if mixed:
            return facts | {"trouble": f"are of different types: {error.message}"}
        if not isinstance(error, RankError):
            return facts | {"trouble": f"do not fit: {error.message}"}
        found = [rank_cause(b, frame, *side) for side in zip(sides, spans)]
        return facts | {"reasons": (error.message, *filter(None, found))}
    first = error.axes[0][1]
    axes = [((left, axis, spans[0]), (right, axis, spans[1])) for axis in range(left.type.rank)
            if axis == first or known(left.shape[axis], "==", right.shape[axis]) is False
            and 1 not in (left.shape[axis], right.shape[axis])]
    facts["origins"], ways = axis_origins(b, frame, axes)
    facts["way"] = way_for_sides(b, frame, error.node[0], sides, spans, ways)
    return facts


def operand_refused(
    b: Builder, frame: Frame, word: Word, operands: list, attributes: dict, place: Span,
    error: ShapeError,
) -> dict[str, Any]:
    """The facts of `OperandRefused`: at `place` a word is applied to `operands`, which are given
    as `construct.Given`, or None if absent."""
    given = {g.value: g.span for g in operands if g is not None}
    values = [g and g.value for g in operands] if error.node is None else error.node[2]
    blamed = dict.fromkeys(values[i] for i in error.operands if i < len(values))
    marks = tuple(
        Mark(given[value], _named(frame, value, given[value], True))
        for value in blamed if value in given
    )
    axes = [(values[i], axis, given.get(values[i])) for i, axis in error.axes]
    origins, _ = axis_origins(b, frame, [tuple(axes)] if axes else [])
    ranks: list = []
    if isinstance(error, RankError):
        ranks = [rank_cause(b, frame, value, given.get(value)) for value in blamed]
    passed = _passed(b, frame, error)
    way = error.suggestion or way_for_operands(b, frame, word, place, operands, attributes, passed,
                                               error)
    return {"of": word.name, "reason": error.message, "operands": marks,
            "ranks": tuple(filter(None, ranks)), "origins": origins, "way": way}


def _passed(b: Builder, frame: Frame, error: ShapeError) -> list[Node]:
    """What the sizes at fault came through in every operand that has the same axis."""
    if error.node is None or not error.axes:
        return []
    axes = dict(error.axes)
    other = error.axes[0][1]
    ways = [follow(b, frame, value, axes.get(i, other)) for i, value in enumerate(error.node[2])
            if value is not None and axes.get(i, other) < value.type.rank]
    return [node for way in ways for node in way.nodes]


def index_outside(
    b: Builder, frame: Frame, value: Value, axis: int, reason: str
) -> dict[str, Any]:
    """The facts of `BadIndex`, of an index into an axis of a tensor."""
    return {"reason": reason, "origins": axis_origins(b, frame, [((value, axis, None),)])[0]}


def operand_mismatch(
    b: Builder, frame: Frame, caller: Frame, operand: ast.Operand, given: Any, place: Span,
    found: Any, matches: Matches,
) -> dict[str, Any]:
    """The facts of `OperandMismatch`: `frame` is the body of the layer, `caller` the one that
    applies it to `given`, at `place`; `found` is the `signature.Mismatch`."""
    origins = ()
    if found.axis is not None:
        way = follow(b, caller, given.value, found.axis, given.span)
        origins = (_beside(b, frame, given.value, way, found),)
    return {"declared": _declared(operand.type, found), "name": operand.name.id,
            "found": str(given.value.type), "reason": found.reason, "origins": origins,
            "way": way_for_operand(b, caller, given, place, matches)}


def result_mismatch(
    b: Builder, frame: Frame, layer: str, declared: ast.TypeOf, result: Any, found: Any,
    matches: Matches,
) -> dict[str, Any]:
    """The facts of `ResultMismatch`, of one result of the body of `frame`."""
    facts = {"declared": _declared(declared, found), "layer": layer,
             "found": str(result.value.type), "reason": found.reason}
    passed: list[Node] = []
    if found.axis is not None:
        way = follow(b, frame, result.value, found.axis, result.span)
        facts["origins"] = (_beside(b, frame, result.value, way, found),)
        passed = way.nodes
    return facts | {"way": way_for_result(b, frame, result, passed, matches)}


def _beside(b: Builder, frame: Frame, value: Value, way: Way, found: Any) -> AxisOrigin:
    """The way of a size of `value` beside what a signature says of it."""
    declared = declared_cause(b, frame, found.dim, found.wanted)
    sizes = str(value.shape[found.axis]), show(found.wanted)
    return AxisOrigin((found.axis,), way.name, sizes, (*way.causes, declared))


def _declared(type: ast.TypeOf, found: Any) -> Mark:
    if found.axis is None:
        return Mark(type.span, "declared here")
    written, wanted = found.dim.span.text, show(found.wanted)
    text = "declared here" if written == wanted else f"declared: {wanted}"
    return Mark(found.dim.span, text)


def _named(frame: Frame, value: Value, span: Span, with_dtype: bool) -> str:
    """`skip: [B, 64, 56, 56]`: what is said beside a tensor, with its name if it has one."""
    shape = str(value.type) if with_dtype else show_shape(value.shape)
    return f"{span.text}: {shape}" if frame.find(span.text) is value else shape
