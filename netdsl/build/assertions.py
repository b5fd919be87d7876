"""`assert condition else "message"`: settled at once where its sizes are known; where they are free
the relations it is made of are assumed, and checked when data arrive."""

from __future__ import annotations

from dataclasses import replace
from string import Formatter
from typing import Any

from netdsl.build import numbers
from netdsl.build.builder import Builder
from netdsl.build.evaluate import BUILT_IN, evaluate, operate
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.values import UNKNOWN, Unknown, described, show, usable
from netdsl.diagnostics.evaluation import AssertionFailed, NotCompileTime, WrongKind
from netdsl.diagnostics.names import UnknownName
from netdsl.diagnostics.shapes import NoRelation
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.ir.dim import Expr, free_symbols
from netdsl.ir.graph import Value
from netdsl.ir.relations import Message, Relation, relation
from netdsl.language import ast
from netdsl.source import Span

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def check_assertion(b: Builder, node: ast.Assert, frame: Frame) -> None:
    """Report an assertion that does not hold, which ends its body, and list what it says of free
    sizes."""
    message = filled(b, node.message, frame)
    found = _relations(b, node.condition, frame, True)
    holds = found is not False
    for each in found if isinstance(found, list) else ():
        b.asks("assert", frame.labels.path, node.span, for_all=True)
        holds &= b.assumptions.asserted(each, message, _is_of_batch(each, frame))
    if not holds:
        b.complain(AssertionFailed, node.span, _text(message))
        frame.body.failed = True


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
        case _:
            answer = evaluate(b, node, frame)
    if isinstance(answer, bool):
        return answer is wanted
    if isinstance(answer, Value):
        b.complain(NotCompileTime, node.span, f"`{node.span.text}` is a tensor: it", True,
                   "an `assert` is about sizes and attributes; a `metric` watches a tensor")
    elif answer is not UNKNOWN:
        b.complain(WrongKind, node.span, described(answer), "true or false")
    return UNKNOWN


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


def filled(b: Builder, message: ast.String, frame: Frame) -> Message:
    """The message with {name} replaced by what plain names stand for, reporting those that stand
    for nothing; other braces stay."""
    try:
        parts = list(Formatter().parse(message.value))
    except ValueError:
        return (message.value,)
    found: list[Any] = []
    for literal, name, spec, conversion in parts:
        found.append(literal)
        if name is None:
            continue
        value = frame.find(name) if name.isidentifier() else NOTHING
        if value is NOTHING and name.isidentifier() and name not in BUILT_IN:
            known = tuple(each for each in frame.visible() if usable(frame.find(each)))
            way = did_you_mean(name, known) or f"`{{{{{name}}}}}` if braces are meant"
            b.complain(UnknownName, _place(message.span, name), name, known, None, way)
        if value is NOTHING or spec or conversion:
            found.append("{" + name + (f"!{conversion}" if conversion else "")
                         + (f":{spec}" if spec else "") + "}")
        else:
            found.append(value if isinstance(value, Expr) else show(value))
    return tuple(found)


def _place(message: Span, name: str) -> Span:
    """The name in the braces of a message; the whole message where it is not written plainly."""
    at = message.text.find(f"{{{name}")
    start = message.start + at + 1
    return message if at < 0 else replace(message, start=start, end=start + len(name))


def _text(message: Message) -> str:
    return "".join(map(str, message))
