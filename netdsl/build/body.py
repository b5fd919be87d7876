"""Statements of a body: bindings, loops, conditions, assertions, parameters, `return`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from netdsl.build.assertions import check_assertion
from netdsl.build.builder import Builder
from netdsl.build.construct import Label
from netdsl.build.evaluate import condition, evaluate
from netdsl.build.explain.ways import as_output, of_initializer
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.labels import join
from netdsl.build.states import declare_state, update
from netdsl.build.types import tensor_type
from netdsl.build.values import UNKNOWN, described, show, usable
from netdsl.diagnostics.evaluation import WrongCount, WrongKind
from netdsl.diagnostics.names import UnlabelledLoop
from netdsl.ir.dim import MOST_PARTS, TooComplex
from netdsl.ir.graph import Initializer, Value
from netdsl.ir.tensor import TensorType
from netdsl.language import ast
from netdsl.layers.arguments import BadArgument
from netdsl.source import Span


@dataclass(frozen=True, slots=True)
class Returned:
    """One value of a `return`, and where it was written."""

    value: Any
    span: Span


def run(b: Builder, body: tuple[ast.Statement, ...], frame: Frame) -> None:
    """Evaluate statements in order, up to a `return` or an assertion that does not hold."""
    for i, statement in enumerate(body):
        b.count_step(statement.span)
        try:
            _RULES[type(statement)](b, statement, frame)
        except TooComplex:
            b.stop(statement.span, "parts of one size", MOST_PARTS)
        if frame.body.failed:
            skip(body[i + 1:], frame)
            return
        if frame.body.returned is not NOTHING:
            return


def skip(body: tuple[ast.Statement, ...], frame: Frame) -> None:
    """What would have been bound in statements that cannot be evaluated is unknown."""
    for statement in body:
        match statement:
            case ast.Bind():
                for name in statement.names:
                    frame.bind(name.id, UNKNOWN)
            case ast.Declared() | ast.Input() | ast.Result():
                frame.bind(statement.name.id, UNKNOWN)
            case ast.For():
                skip(statement.body, frame)
            case ast.If():
                skip((*statement.body, *(statement.otherwise or ())), frame)
            case ast.Return():
                frame.body.returned = [Returned(UNKNOWN, statement.span)]


def _bind(b: Builder, node: ast.Bind, frame: Frame) -> None:
    labels = _labels(node, frame)
    values = [evaluate(b, expr, frame, label) for expr, label in zip(node.values, labels)]
    if len(values) == 1 and len(node.names) > 1:
        if values[0] is UNKNOWN:
            values = [UNKNOWN] * len(node.names)
        elif isinstance(values[0], (tuple, list)):
            values = list(values[0])
    if len(values) != len(node.names):
        b.complain(WrongCount, node.span, len(node.names), len(values))
        values = [UNKNOWN] * len(node.names)
    for name, value, expr in zip(node.names, values, _spread(node)):
        bind_name(b, frame, name.id, value, expr)


def _labels(node: ast.Bind, frame: Frame) -> list[Label | None]:
    """`name = L{…}` and `name = L{…}(…)` name the instance where `name` is first bound, and so do
    `name = ema(…)` and `name = frozen(…)`."""
    if len(node.values) != len(node.names):
        return [None] * len(node.values)
    labels: list[Label | None] = []
    for name, expr in zip(node.names, node.values):
        made = expr.callee if isinstance(expr, ast.Call) else expr
        is_made = isinstance(made, ast.Construct) or _gives_instance(made, expr, frame)
        first = name.id != "_" and not frame.is_bound(name.id)
        labels.append(Label(name.id) if is_made and first else None)
    return labels


def _gives_instance(callee: ast.Expr, expr: ast.Expr, frame: Frame) -> bool:
    """Whether `callee` in the call `expr` is `ema` or `frozen`."""
    if callee is expr or not isinstance(callee, ast.Name):
        return False
    return callee.id in ("ema", "frozen") and frame.find(callee.id) is NOTHING


def _spread(node: ast.Bind) -> tuple[ast.Expr, ...]:
    """The expression behind each name."""
    one = node.values * len(node.names)
    return node.values if len(node.values) == len(node.names) else one


def bind_name(b: Builder, frame: Frame, name: str, value: Any, expr: ast.Expr) -> None:
    """Bind one name, unless it is `_`; tensors are remembered by their dotted name."""
    if name == "_":
        return
    if not usable(value):
        b.complain(WrongKind, expr.span, described(value), "a value")
        value = UNKNOWN
    holder = frame.bind(name, value, expr)
    if isinstance(value, Value):
        # a turn's own value by the turn's path; in the end the name means what it last was
        for path in dict.fromkeys((join(frame.labels.path, name), join(holder.path, name))):
            b.count_letters(path, expr.span)
            b.named[path] = value


def _return(b: Builder, node: ast.Return, frame: Frame) -> None:
    if frame.body.interface is not None:
        b.complain(WrongKind, node.span, "`return`", "a statement of a model", as_output(node))
        return
    results = []
    for expr in node.values:
        value = evaluate(b, expr, frame)
        for item in value if isinstance(value, tuple) else (value,):
            results.append(Returned(item, expr.span))
    frame.body.returned = results


def _for(b: Builder, node: ast.For, frame: Frame) -> None:
    items = evaluate(b, node.iterable, frame)
    if items is not UNKNOWN and not isinstance(items, (range, list, tuple)):
        way = f"`0..{show(items)}` counts up to it" if isinstance(items, int) else None
        b.complain(WrongKind, node.iterable.span, described(items), "a range or list", way)
        items = UNKNOWN
    if items is UNKNOWN:
        skip(node.body, frame)
        return
    b.count_turns(len(items), node.iterable.span)
    if node.label is not None:
        _take_label(b, node, frame)
    for i, item in enumerate(items):
        turn = frame.turn(frame.labels.turn(node.label, i))
        _bind_turn(b, node, turn, i, item)
        run(b, node.body, turn)
        if frame.body.failed or frame.body.returned is not NOTHING:
            return


def _take_label(b: Builder, node: ast.For | ast.If, frame: Frame) -> None:
    """The label of a loop or branch is taken in its body, so that nothing else bears it."""
    if not frame.creates or frame.labels.loop == "unlabelled":
        return
    place = replace(node.span, end=node.span.start + len(node.label))
    taken = frame.labels.use(node.label, place)
    if taken is not None:
        b.dispute(join(frame.labels.path, node.label), taken)


def _bind_turn(b: Builder, node: ast.For, turn: Frame, i: int, item: Any) -> None:
    """`for (x in xs)`, or `for (i, x in xs)` with the position."""
    names = [name.id for name in node.names]
    turn.names[names[-1]] = item
    if len(names) == 2:
        turn.names[names[0]] = i


def _if(b: Builder, node: ast.If, frame: Frame) -> None:
    answer = condition(b, node.condition, frame, node)
    if answer is UNKNOWN:
        skip((node,), frame)
        return
    outer, taken = frame.labels, node.body if answer else node.otherwise or ()
    if node.label is not None:
        _take_label(b, node, frame)
        frame.labels = outer.branch(node.label)
    run(b, taken, frame)
    frame.labels = outer


def _declared(b: Builder, node: ast.Declared, frame: Frame) -> None:
    """`parameter name: type = init`: a free parameter of this layer or model; `state` alike."""
    if node.role == "state":
        value = declare_state(b, node, frame)
    else:
        type = tensor_type(b, node.type, frame, declares=False)
        init = evaluate(b, node.value, frame)
        value = UNKNOWN
        if type is not None and init is not UNKNOWN:
            value = _parameter(b, node, frame, type, init)
    if isinstance(value, Value):
        b.declared[value] = node, frame
    bind_name(b, frame, node.name.id, value, node.value)


def _parameter(b: Builder, node: ast.Declared, frame: Frame, type: TensorType, init: Any) -> Any:
    name, span = node.name.id, node.name.span
    if not isinstance(init, Initializer):
        b.complain(WrongKind, node.value.span, described(init), "an initialiser",
                   of_initializer(init, node.value.span))
        return UNKNOWN
    if type.symbols:
        b.complain(WrongKind, node.type.span, f"the free shape {type}", "a fixed shape")
        return UNKNOWN
    if not type.is_float:
        b.complain(WrongKind, node.type.span, type.dtype, "a float type",
                   "only floats are trained")
        return UNKNOWN
    if frame.labels.loop == "unlabelled":
        b.complain(UnlabelledLoop, span, name)
        return UNKNOWN
    taken = frame.labels.use(name, span)
    if taken is not None and frame.creates:
        b.dispute(join(frame.labels.path, name), taken)
        return UNKNOWN
    try:
        return b.variable(join(frame.labels.path, name), "parameter", type, init, span,
                          frame.creates)
    except BadArgument:  # reported
        return UNKNOWN


def _interface(b: Builder, node: ast.Input | ast.Result, frame: Frame) -> None:
    """`input`, `output`, `loss`, `metric`: a model's statements."""
    if frame.body.interface is None:
        word = node.role if isinstance(node, ast.Result) else "input"
        b.complain(WrongKind, node.span, f"`{word}`", "a statement of a layer",
                   f"`{word}` belongs in a model")
        return
    frame.body.interface.declare(b, node, frame)


_RULES = {
    ast.Bind: _bind,
    ast.Return: _return,
    ast.For: _for,
    ast.If: _if,
    ast.Assert: check_assertion,
    ast.Declared: _declared,
    ast.Update: update,
    ast.Input: _interface,
    ast.Result: _interface,
}
