"""What an expression would be, worked out again beside the build and without a trace in it: for
messages that explain and suggest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netdsl.build import numbers
from netdsl.build.builder import MOST_STEPS, Builder
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.labels import Labels
from netdsl.build.values import UNKNOWN, Instance, show
from netdsl.diagnostics import Refused, Report
from netdsl.ir.dim import Expr, TooComplex
from netdsl.ir.graph import Value
from netdsl.language import ast
from netdsl.language.parser import parse_expression
from netdsl.layers.arguments import is_number
from netdsl.source import Source

MOST_STEPS_OF_ONE = 5_000  # expressions evaluated
MOST_PARTS = 200  # of an expression that is worked out again
MOST_ITEMS = 8  # of a list that is told


def apart(b: Builder) -> Builder:
    """A builder for what is tried: a small one, whose messages nobody sees."""
    beside = Builder(b.name, Report())
    beside.steps, beside.trail = MOST_STEPS - MOST_STEPS_OF_ONE, list(b.trail)
    return beside


def parsed(text: str) -> ast.Expr | None:
    """The expression that a text is, if it is one."""
    try:
        return parse_expression(Source("suggestion", text))
    except Refused:
        return None


def tensor_of(
    b: Builder, frame: Frame, expr: ast.Expr | None, known: dict[str, Any] | None = None
) -> Value | None:
    """The tensor that an expression would be in this body, with further names; None where it
    fails or would touch an instance of the body."""
    from netdsl.build.evaluate import evaluate

    names = {name: frame.find(name) for name in frame.visible()} | (known or {})
    parts = [] if expr is None else list(parts_of(expr, MOST_PARTS))
    if not 0 < len(parts) <= MOST_PARTS or any(_is_shared(names, part) for part in parts):
        return None
    beside = apart(b)
    try:
        value = evaluate(beside, expr, Frame(frame.module, Labels(""), names=names))
    except (Refused, TooComplex):
        return None
    return None if value is UNKNOWN or beside.errors or not isinstance(value, Value) else value


def _is_shared(names: dict[str, Any], part: ast.Syntax) -> bool:
    """Whether an expression leads to instances that were made before."""
    if isinstance(part, ast.Member):
        return True
    held = names.get(part.id, NOTHING) if isinstance(part, ast.Name) else NOTHING
    items = held if isinstance(held, (list, tuple)) else (held,)
    return any(isinstance(item, (Instance, list, tuple)) for item in items)


def number_of(b: Builder, frame: Frame, expr: ast.Expr) -> Any:
    """The compile-time value of arithmetic on plain names; NOTHING for any other expression."""
    from netdsl.build.evaluate import BUILT_IN, evaluate

    names = plain_names(expr)
    if names is None:
        return NOTHING
    for name in names:
        held = frame.find(name)
        if isinstance(held, Value) or held is NOTHING and name not in BUILT_IN:
            return NOTHING
    beside = apart(b)
    try:
        value = evaluate(beside, expr, frame)
    except (Refused, TooComplex):
        return NOTHING
    return NOTHING if value is UNKNOWN or beside.errors else value


def values_in(
    b: Builder, frame: Frame, expr: ast.Expr, value: Any
) -> tuple[tuple[str, str], ...]:
    """The names of an expression with what they stand for; none where they no longer give
    `value` (None: whatever they give), and none of a lone name."""
    if isinstance(expr, ast.Name):
        return ()
    names = plain_names(expr)
    if not names or value is not None and number_of(b, frame, expr) != value:
        return ()
    found = ((name, frame.find(name)) for name in names)
    return tuple((name, show(held)) for name, held in found if _tellable(held))


def _tellable(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= MOST_ITEMS
    return is_number(value) or isinstance(value, Expr)


def plain_names(expr: ast.Expr) -> list[str] | None:
    """The names in arithmetic, in order; None for anything that does more, or is long."""
    names: dict[str, None] = {}
    parts = list(parts_of(expr, MOST_PARTS))
    if len(parts) > MOST_PARTS:
        return None
    callees = {id(part.callee) for part in parts if isinstance(part, ast.Call)}
    for part in parts:
        if isinstance(part, ast.Call):
            named = isinstance(part.callee, ast.Name) and part.callee.id in numbers.FUNCTIONS
            if not named:
                return None
        elif isinstance(part, (ast.Construct, ast.Pipeline, ast.Member, ast.Labelled)):
            return None
        elif isinstance(part, ast.Name) and id(part) not in callees:
            names[part.id] = None
    return list(names)


def parts_of(expr: Any, most: int) -> Iterator[ast.Syntax]:
    """The expressions within one, itself first, from left to right; a few more than `most`."""
    todo, count = [expr], 0
    while todo and count <= most:
        part = todo.pop()
        if isinstance(part, tuple):
            todo.extend(reversed(part[: most + 1]))
        elif isinstance(part, ast.Syntax):
            count += 1
            yield part
            todo.extend(reversed([getattr(part, name) for name in part.__match_args__]))
