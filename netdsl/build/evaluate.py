"""Expressions: compile-time values are worked out, tensor arithmetic becomes nodes."""

from __future__ import annotations

import sys
from typing import Any

from netdsl.build import numbers
from netdsl.build.apply import apply, compile_time, constant
from netdsl.build.builder import PARTS, Builder
from netdsl.build.construct import Given, Label, construct
from netdsl.build.copies import EMA, FROZEN, apply_to_instance
from netdsl.build.explain.refusals import sides_differ
from netdsl.build.explain.unknown import guards_block, unknown_name
from netdsl.build.explain.ways import of_choice, of_method, of_open
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.index import Ends, index
from netdsl.build.penalties import PENALTIES, penalise
from netdsl.build.values import (
    UNKNOWN,
    Instance,
    InstanceFunction,
    Module,
    Place,
    described,
)
from netdsl.diagnostics.evaluation import BadOperation, NotCompileTime, WrongKind
from netdsl.diagnostics.names import NoMember
from netdsl.diagnostics.shapes import SidesDiffer
from netdsl.ir.dim import Expr
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.ir.tensor import NUMPY_DTYPES
from netdsl.language import ast
from netdsl.layers import WORDS
from netdsl.layers.arguments import SAME, DType, Hole
from netdsl.layers.initializers import INITIALIZERS
from netdsl.ops import comparison, elementwise
from netdsl.source import Span

BUILT_IN: dict[str, Any] = {
    **INITIALIZERS,
    **WORDS,
    **{name: DType(name) for name in NUMPY_DTYPES if name != "u64"},
    **SAME,
    "ema": EMA, "frozen": FROZEN, **PENALTIES,
    "true": True, "false": False, "none": None,
}
TENSOR_OPERATORS = {
    "+": elementwise.add, "-": elementwise.subtract, "*": elementwise.multiply,
    "/": elementwise.divide, "**": elementwise.power, "==": elementwise.equal,
    "<": elementwise.less, "<=": elementwise.less_equal, ">": elementwise.greater,
    ">=": elementwise.greater_equal, "//": elementwise.floor_divide, "%": elementwise.remainder,
    "and": comparison.logical_and, "or": comparison.logical_or,
}


def evaluate(b: Builder, node: ast.Expr, frame: Frame, label: Label | None = None) -> Any:
    """The value of an expression: UNKNOWN after a problem was reported.

    `label` names the instance that a construction or its application makes.
    """
    b.count_step(node.span)
    value = _RULES[type(node)](b, node, frame, label)
    if type(value) is list:  # making one takes the longer the longer it is
        b.count_step(node.span, len(value) // 64)
    return value


# ------------------------------------------------------------------ leaves


def _number(b, node: ast.Number, frame, label):
    try:
        return numbers.settled(node.value)
    except numbers.Unworkable as reason:
        b.complain(BadOperation, node.span, node.text[:20], str(reason))
        return UNKNOWN


def _name(b, node: ast.Name, frame, label):
    if node.id == "_":
        return _misplaced(b, node, frame, label)
    value = frame.find(node.id)
    if value is not NOTHING:
        return value
    if node.id in BUILT_IN:
        return BUILT_IN[node.id]
    if node.id in numbers.FUNCTIONS:
        return _CompileTime(node.id)
    known = (*frame.visible(), *BUILT_IN, *numbers.FUNCTIONS)
    b.add(unknown_name(frame.module, node, known))
    frame.body.names[node.id] = UNKNOWN  # one message for a name, not one for each use
    return UNKNOWN


class _CompileTime(str):
    """The name of a function of `numbers.FUNCTIONS` that is no tensor function too."""


def _misplaced(b, node, frame, label):
    b.complain(WrongKind, node.span, f"`{node.span.text}`", "a value")
    return UNKNOWN


def _list(b, node: ast.ListOf, frame, label):
    items = [
        Hole(item.span) if isinstance(item, ast.Hole) else evaluate(b, item, frame)
        for item in node.items
    ]
    return UNKNOWN if any(item is UNKNOWN for item in items) else items


def _tuple(b, node: ast.TupleOf, frame, label):
    items = _list(b, node, frame, label)
    return items if items is UNKNOWN else tuple(items)


# ------------------------------------------------------------------ operators


def _prefix(b, node: ast.Prefix, frame, label):
    value = evaluate(b, node.operand, frame)
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, Value):
        op = elementwise.logical_not if node.operator == "not" else elementwise.negative
        try:
            return b.emit(op, (value,), {}, frame.labels.path, node.span)
        except ShapeError as error:
            b.complain(BadOperation, node.span, node.operator, error.message)
            return UNKNOWN
    if node.operator == "not":
        if isinstance(value, bool):
            return not value
        return _not_a_condition(b, node.operand, value, frame)
    return operate(b, "-", 0, value, node.span, node.span, node.operand.span, frame)


def _chain(b, node: ast.Chain, frame, label):
    if node.rest[0][0] in ("and", "or"):
        return _logic(b, node, frame)
    total, so_far = evaluate(b, node.first, frame), node.first.span
    for operator, operand in node.rest:
        value = evaluate(b, operand, frame)
        whole = so_far.to(operand.span)
        total = operate(b, operator, total, value, whole, so_far, operand.span, frame)
        so_far = whole
    return total


def _logic(b, node: ast.Chain, frame):
    """`and`, `or`: what settles the answer ends the evaluation; tensors are joined by element."""
    operator, joined, so_far = node.rest[0][0], None, node.first.span
    for operand in (node.first, *(operand for _, operand in node.rest)):
        value = evaluate(b, operand, frame)
        if value is UNKNOWN or value is (operator == "or"):
            return value
        if isinstance(value, Value) and value.dtype == "bool":
            whole = so_far.to(operand.span)
            joined = value if joined is None else operate(
                b, operator, joined, value, whole, so_far, operand.span, frame)
            so_far = whole
        elif not isinstance(value, bool):
            return _not_a_condition(b, operand, value, frame)
    return operator == "and" if joined is None else joined


def _compare(b, node: ast.Compare, frame, label):
    left, right = evaluate(b, node.left, frame), evaluate(b, node.right, frame)
    return operate(b, node.operator, left, right, node.span, node.left.span, node.right.span,
                   frame)


def _power(b, node: ast.Power, frame, label):
    base, exponent = evaluate(b, node.base, frame), evaluate(b, node.exponent, frame)
    return operate(b, "**", base, exponent, node.span, node.base.span, node.exponent.span, frame)


def operate(
    b: Builder, operator: str, left: Any, right: Any, span: Span, left_span: Span,
    right_span: Span, frame: Frame,
) -> Any:
    """left operator right, at compile time or as a node."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, Value) or isinstance(right, Value):
        if left is None or right is None:  # `mask != none` is settled now
            return (left is right) is (operator == "==")
        return _tensors(b, operator, left, right, span, left_span, right_span, frame)
    try:
        if operator in ("==", "!=", "<", "<=", ">", ">="):
            b.asks("a condition", frame.labels.path, span, for_all=True)
            b.count_step(span, numbers.parts_of(left) + numbers.parts_of(right))
            answer = numbers.compare(operator, left, right)
            if answer is None:
                b.complain(NotCompileTime, span, f"`{span.text}`", False, of_open(span))
                return UNKNOWN
            return answer
        b.count_step(span, (numbers.parts_of(left) + numbers.parts_of(right)) // PARTS)
        b.asks(f"`{operator}`", frame.labels.path, span, for_all=True)
        result = numbers.arithmetic(operator, left, right)
        b.count_step(span, numbers.parts_of(result) // PARTS)
        return result
    except numbers.Unworkable as reason:
        b.complain(BadOperation, span, operator, str(reason))
        return UNKNOWN


def _tensors(b, operator, left, right, span, left_span, right_span, frame):
    dtype = left.dtype if isinstance(left, Value) else right.dtype
    operands = []
    for side, place in ((left, left_span), (right, right_span)):
        if not isinstance(side, Value):
            if not numbers.is_size(side):
                b.complain(BadOperation, place, operator, f"{described(side)} is no tensor")
                return UNKNOWN
            side = constant(b, side, dtype, frame.labels.path, place)
            if side is UNKNOWN:
                return UNKNOWN
        operands.append(side)
    negated = operator == "!="
    op = TENSOR_OPERATORS.get("==" if negated else operator)
    if op is None:
        b.complain(BadOperation, span, operator, "it is for compile-time numbers only")
        return UNKNOWN
    b.asks(f"`{operator}`", frame.labels.path, span)
    try:
        result = b.emit(op, tuple(operands), {}, frame.labels.path, span)
    except ShapeError as error:
        b.explain(SidesDiffer, span, sides_differ, frame, operator, tuple(operands),
                  (left_span, right_span), error)
        return UNKNOWN
    if not negated:
        return result
    return b.emit(elementwise.logical_not, (result,), {}, frame.labels.path, span)


def _range(b, node: ast.Range, frame, label):
    start, stop = evaluate(b, node.start, frame), evaluate(b, node.stop, frame)
    if start is UNKNOWN or stop is UNKNOWN:
        return UNKNOWN
    for bound, place in ((start, node.start.span), (stop, node.stop.span)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            way = None
            if isinstance(bound, Expr):
                way = f"fix `{place.text}` in the input's declaration: data come too late"
            b.complain(WrongKind, place, described(bound), "a known whole number", way)
            return UNKNOWN
    if stop - start > sys.maxsize:
        b.complain(BadOperation, node.span, "..", "the range is too long")
        return UNKNOWN
    return range(start, stop)


def _choose(b, node: ast.Choose, frame, label):
    answer = condition(b, node.condition, frame, node)
    if answer is UNKNOWN:
        return UNKNOWN
    return evaluate(b, node.then if answer else node.otherwise, frame, label)


def condition(
    b: Builder, node: ast.Expr, frame: Frame, choice: ast.Choose | ast.If | None = None
) -> Any:
    """A compile-time condition, of `choice` where it is one's: True, False, or UNKNOWN after
    reporting."""
    value = evaluate(b, node, frame)
    if value is UNKNOWN or isinstance(value, bool):
        return value
    return _not_a_condition(b, node, value, frame, choice)


def _not_a_condition(
    b, node: ast.Expr, value: Any, frame: Frame, choice: ast.Choose | ast.If | None = None
):
    if isinstance(value, Value):
        way = None if choice is None else of_choice(choice, frame.is_bound)
        b.complain(NotCompileTime, node.span, f"`{node.span.text}` is a tensor: it", True, way)
    else:
        b.complain(WrongKind, node.span, described(value), "true or false")
    return UNKNOWN


# ------------------------------------------------------------------ application


def _arguments(b, arguments: tuple[ast.Argument, ...], frame, label=None) -> list[Given]:
    return [
        Given(a.name, evaluate(b, a.value, frame, label), a.value.span, a.span, a.value)
        for a in arguments
    ]


def _call(b, node: ast.Call, frame, label, first: Given | None = None):
    if isinstance(node.callee, ast.Member):
        callee = _member(b, node.callee, frame, label, node)
    else:
        callee = evaluate(b, node.callee, frame, label)
    given = _arguments(b, node.arguments, frame, label if callee is FROZEN else None)
    if first is not None:
        given.insert(0, first)
    if isinstance(callee, InstanceFunction):
        if callee.name in PENALTIES:
            return penalise(b, frame, callee, given, node.span)
        return apply_to_instance(b, frame, callee, given, label, node.span)
    if isinstance(callee, _CompileTime):
        return compile_time(b, str(callee), given, node.span)
    return apply(b, frame, callee, given, label, node.span)


def _construct(b, node: ast.Construct, frame, label):
    definition = evaluate(b, node.callee, frame)
    given = _arguments(b, node.arguments, frame)
    return construct(b, frame, definition, given, label, node.span)


def _labelled(b, node: ast.Labelled, frame, label):
    return evaluate(b, node.value, frame, Label(node.label))


def _pipeline(b, node: ast.Pipeline, frame, label):
    value, so_far = evaluate(b, node.head, frame), node.head.span
    for stage in node.stages:
        if guards_block(stage):  # told when the file was read
            value = UNKNOWN
            continue
        if stage.condition is not None:
            answer = condition(b, stage.condition, frame)
            if answer is UNKNOWN:
                value = UNKNOWN
                continue
            if not answer:
                if isinstance(value, Value):
                    b.skipped.setdefault(value, []).append((stage, frame))
                continue
        name = None if stage.label is None else Label(stage.label)
        first = Given(None, value, so_far)
        if isinstance(stage.value, ast.Call):
            value = _call(b, stage.value, frame, name, first)
        else:
            callee = evaluate(b, stage.value, frame, name)
            if isinstance(callee, _CompileTime):
                value = compile_time(b, str(callee), [first], stage.value.span)
            else:
                value = apply(b, frame, callee, [first], name, stage.value.span)
        so_far = stage.value.span
    return value


# ------------------------------------------------------------------ indices and members


def _index(b, node: ast.Index, frame, label):
    target = evaluate(b, node.target, frame)
    if target is UNKNOWN:
        return UNKNOWN
    items = []
    for item in node.items:
        keeps = isinstance(item, ast.Name) and item.id == "_"
        if isinstance(item, ast.Range):  # its ends may be free dimensions in a tensor's slice
            ends = evaluate(b, item.start, frame), evaluate(b, item.stop, frame)
            items.append(UNKNOWN if UNKNOWN in ends else Ends(*ends))
        else:
            items.append(NOTHING if keeps else evaluate(b, item, frame))
    if any(item is UNKNOWN for item in items):
        return UNKNOWN
    return index(b, frame, target, items, node.span)


def _member(b, node: ast.Member, frame, label, call: ast.Call | None = None):
    """`call` is the call that the member is applied in."""
    target = evaluate(b, node.target, frame)
    if target is UNKNOWN:
        return UNKNOWN
    if isinstance(target, Module):
        if node.name in target.names:
            return target.names[node.name]
        b.complain(NoMember, node.span, "the imported file", node.name, tuple(target.names))
        return UNKNOWN
    if isinstance(target, (Instance, Place)):
        return _below(b, node, target)
    b.complain(NoMember, node.span, described(target), node.name, (), of_method(node, call))
    return UNKNOWN


def _below(b, node: ast.Member, target: Instance | Place):
    """What lies at a label path: a tensor, an instance, or a place between."""
    path = f"{target.path}.{node.name}"
    foreseen = b.foreseen.reach(b, path)
    if foreseen is not None:
        return foreseen
    if path in b.variables:
        return b.current.get(path, b.variables[path].value)
    if path in b.instances:
        return b.instances[path]
    b.count_step(node.span, len(b.variables) // 64)
    below = [name for name in b.variables if name.startswith(f"{target.path}.")]
    if any(name.startswith(f"{path}.") for name in below):
        return Place(path)
    if isinstance(target, Instance) and not target.uses:
        b.foreseen.missed[path] = node.span, target
        return UNKNOWN
    depth = target.path.count(".") + 1
    known = dict.fromkeys(name.split(".")[depth] for name in below)
    b.complain(NoMember, node.span, described(target), node.name, tuple(known))
    return UNKNOWN


_RULES = {
    ast.Number: _number,
    ast.String: lambda b, node, frame, label: node.value,
    ast.Name: _name,
    ast.Hole: _misplaced,
    ast.Rest: _misplaced,
    ast.ListOf: _list,
    ast.TupleOf: _tuple,
    ast.Prefix: _prefix,
    ast.Chain: _chain,
    ast.Compare: _compare,
    ast.Power: _power,
    ast.Range: _range,
    ast.Choose: _choose,
    ast.Call: _call,
    ast.Construct: _construct,
    ast.Labelled: _labelled,
    ast.Index: _index,
    ast.Member: _member,
    ast.Pipeline: _pipeline,
}
