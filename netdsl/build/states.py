"""`state` and `update`: tensors of the file that outlive a step. Reads see the old value; what
`next` gives is committed with everything else when the step is over."""

from __future__ import annotations

from typing import Any

from netdsl.build.apply import constant
from netdsl.build.builder import Builder
from netdsl.build.evaluate import evaluate
from netdsl.build.frame import Frame
from netdsl.build.labels import join
from netdsl.build.numbers import is_size
from netdsl.build.types import tensor_type
from netdsl.build.values import UNKNOWN, Ratio, described
from netdsl.diagnostics.evaluation import WrongKind
from netdsl.diagnostics.names import UnlabelledLoop
from netdsl.diagnostics.states import (
    BeginDepends,
    NeverUpdated,
    NextTwice,
    NotAState,
    StateChanges,
)
from netdsl.ir.assumptions import agree
from netdsl.ir.dim import Expr
from netdsl.ir.graph import Initializer, Value, ancestry
from netdsl.ir.tensor import TensorType
from netdsl.language import ast
from netdsl.layers.arguments import BadArgument
from netdsl.ops.random import KEY


def declare_state(b: Builder, node: ast.Declared, frame: Frame) -> Any:
    """The value of a new state, or of the one found where its layer is applied again; UNKNOWN
    after reporting."""
    type = tensor_type(b, node.type, frame, declares=False)
    begin = evaluate(b, node.value, frame)
    if type is None or begin is UNKNOWN:
        return UNKNOWN
    if frame.labels.loop == "unlabelled":
        b.complain(UnlabelledLoop, node.name.span, node.name.id)
        return UNKNOWN
    begin = _beginning(b, node, frame, type, begin)
    if begin is UNKNOWN:
        return UNKNOWN
    taken = frame.labels.use(node.name.id, node.name.span)
    path = join(frame.labels.path, node.name.id)
    if taken is not None and frame.creates:
        b.dispute(path, taken)
        return UNKNOWN
    try:
        value = b.variable(path, "state", type, begin, node.name.span, frame.creates)
    except BadArgument:  # reported
        return UNKNOWN
    b.states[value] = path
    return value


def _beginning(
    b: Builder, node: ast.Declared, frame: Frame, type: TensorType, begin: Any
) -> Any:
    """What a state begins with: an initialiser, or a value made of draws and constants alone."""
    name, span = node.name.id, node.value.span
    if isinstance(begin, Initializer):
        return begin
    if isinstance(begin, (Expr, Ratio)):
        b.complain(BeginDepends, span, name, str(begin))
        return UNKNOWN
    if is_size(begin):
        held = constant(b, begin, type.dtype, frame.labels.path, span)
        return UNKNOWN if held is UNKNOWN else Initializer("constant", (float(begin),))
    if not isinstance(begin, Value):
        b.complain(WrongKind, span, described(begin), "an initialiser, a number or a tensor",
                   "`zeros()`")
        return UNKNOWN
    _, leaves = ancestry(begin)
    fed = [leaf for leaf in leaves if leaf.type != KEY or leaf.name != "key"]
    if fed:
        b.complain(BeginDepends, span, name, min(leaf.name for leaf in fed))
        return UNKNOWN
    if not _same(begin.type, type):
        b.complain(StateChanges, span, name, str(begin.type), str(type), node.type.span)
        return UNKNOWN
    return begin


def update(b: Builder, node: ast.Update, frame: Frame) -> None:
    """`update { next q = e … }`: every next value, all worked out from the old ones."""
    for following in node.body:
        value = evaluate(b, following.value, frame)
        state = frame.find(following.name.id)
        if state is UNKNOWN or value is UNKNOWN:
            continue
        if not isinstance(state, Value) or state not in b.states:
            own = [n for n in frame.visible() if _is_state(b, frame.find(n))]
            b.complain(NotAState, following.name.span, following.name.id, tuple(own))
            continue
        _next(b, following, frame, state, value)


def _is_state(b: Builder, value: Any) -> bool:
    return isinstance(value, Value) and value in b.states


def _next(b: Builder, node: ast.Next, frame: Frame, state: Value, value: Any) -> None:
    name, declared = b.states[state], b.variables[b.states[state]]
    if declared.kind != "state" or b.is_frozen(name):
        return  # it follows another, or stays as it is
    if name in b.next_places:
        twice = next((each for each in b.trail if each.uses > 1), None)
        b.complain(NextTwice, node.span, node.name.id, b.next_places[name],
                   *(() if twice is None else (twice.applied, twice.span)))
        return
    b.next_places[name] = node.span
    if is_size(value):
        value = constant(b, value, state.dtype, frame.labels.path, node.value.span)
    if value is UNKNOWN:
        return
    if not isinstance(value, Value) or not _same(value.type, state.type):
        found = str(value.type) if isinstance(value, Value) else described(value)
        b.complain(StateChanges, node.value.span, node.name.id, found, str(state.type),
                   declared.span)
        return
    b.updates[name] = value


def _same(found: TensorType, declared: TensorType) -> bool:
    return (
        found.dtype == declared.dtype and found.rank == declared.rank
        and all(map(agree, found.shape, declared.shape))
    )


def warn_of_constants(b: Builder) -> None:
    """Warn of states that no `update` moves."""
    for name, variable in b.variables.items():
        if variable.kind == "state" and name not in b.next_places:
            b.complain(NeverUpdated, variable.span, name)
