"""`assert condition else "message"`: settled at once where its sizes are known; where they are free
the relations it is made of are assumed, and checked when data arrive."""

from __future__ import annotations

from string import Formatter
from typing import Any

from netdsl.build import numbers
from netdsl.build.builder import Builder
from netdsl.build.evaluate import condition, evaluate, operate
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.values import UNKNOWN, Unknown, show
from netdsl.diagnostics.evaluation import AssertionFailed
from netdsl.diagnostics.shapes import NoRelation
from netdsl.ir.dim import Expr, free_symbols
from netdsl.ir.relations import Message, Relation, relation
from netdsl.language import ast

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def check_assertion(b: Builder, node: ast.Assert, frame: Frame) -> None:
    """Report an assertion that does not hold, and list what it says of free sizes."""
    message = filled(node.message.value, frame)
    found = _relations(b, node.condition, frame, True)
    if found is False:
        b.complain(AssertionFailed, node.span, _text(message))
    for each in found if isinstance(found, list) else ():
        b.asks("assert", frame.labels.path, node.span, for_all=True)
        if not b.assumptions.asserted(each, message, _is_of_batch(each, frame)):
            b.complain(AssertionFailed, node.span, _text(message))


def _relations(
    b: Builder, node: ast.Expr, frame: Frame, wanted: bool
) -> bool | list[Relation] | Unknown:
    """What makes a condition come out as wanted: nothing any more, or relations that must all
    hold; UNKNOWN after reporting."""
    match node:
        case ast.Prefix(operator="not"):
            return _relations(b, node.operand, frame, not wanted)
        case ast.Chain(rest=((("and" | "or") as operator, _), *_)):
            parts = (node.first, *(operand for _, operand in node.rest))
            if (operator == "and") is wanted:
                return _all_of(b, parts, frame, wanted)
            return _one_of(b, node, parts, frame, wanted)
        case ast.Compare():
            left, right = evaluate(b, node.left, frame), evaluate(b, node.right, frame)
            operator = node.operator if wanted else OPPOSITE[node.operator]
            sides = numbers.open_sides(left, right)
            if sides is not None:
                asked = relation(sides[0], operator, sides[1])
                return asked if isinstance(asked, bool) else [asked]
            answer = operate(b, node.operator, left, right, node.span, node.left.span,
                             node.right.span, frame)
            if isinstance(answer, bool):
                return answer is wanted
    answer = condition(b, node, frame)
    return answer if answer is UNKNOWN else answer is wanted


def _all_of(
    b: Builder, parts: tuple[ast.Expr, ...], frame: Frame, wanted: bool
) -> bool | list[Relation] | Unknown:
    gathered: list[Relation] = []
    for part in parts:
        found = _relations(b, part, frame, wanted)
        if found is UNKNOWN or found is False:
            return found
        gathered += [] if found is True else found
    return gathered or True


def _one_of(
    b: Builder, node: ast.Chain, parts: tuple[ast.Expr, ...], frame: Frame, wanted: bool
) -> bool | list[Relation] | Unknown:
    """Of alternatives one may be left open: the others are settled."""
    left: list[list[Relation]] = []
    for part in parts:
        found = _relations(b, part, frame, wanted)
        if found is UNKNOWN or found is True:
            return found
        answers = [] if found is False else [b.assumptions.knows(each) for each in found]
        if found and all(answers):
            return True
        if found and False not in answers:
            left.append(found)
    if len(left) > 1:
        b.complain(NoRelation, node.span)
        return UNKNOWN
    return left[0] if left else False


def _is_of_batch(asked: Relation, frame: Frame) -> bool:
    """Whether a model's own assertion is about the number of rows alone: about free dimensions
    that lead the shape of an input."""
    interface = frame.body.interface
    if interface is None:
        return False
    leading = [free_symbols(value.shape[0]) for value in interface.inputs.values() if value.shape]
    return asked.symbols <= frozenset().union(*leading)


def filled(message: str, frame: Frame) -> Message:
    """The message with {name} replaced by what plain names stand for; other braces stay."""
    try:
        parts = list(Formatter().parse(message))
    except ValueError:
        return (message,)
    found: list[Any] = []
    for literal, name, spec, conversion in parts:
        found.append(literal)
        if name is None:
            continue
        value = frame.find(name) if name.isidentifier() else NOTHING
        if value is NOTHING or spec or conversion:
            found.append("{" + name + (f"!{conversion}" if conversion else "")
                         + (f":{spec}" if spec else "") + "}")
        else:
            found.append(value if isinstance(value, Expr) else show(value))
    return tuple(found)


def _text(message: Message) -> str:
    return "".join(map(str, message))
