"""`l1_penalty(m)` and `l2_penalty(m)`: a sum over the weights of whole layers, to be added to a
loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from netdsl.build.apply import constant
from netdsl.build.builder import Builder
from netdsl.build.construct import Given, bind
from netdsl.build.explain.origins import short
from netdsl.build.frame import Frame
from netdsl.build.labels import join
from netdsl.build.values import UNKNOWN, Instance, InstanceFunction, Place, described
from netdsl.diagnostics.evaluation import BadOperation, WrongKind
from netdsl.diagnostics.penalties import NothingToPenalise, PenaltyTooEarly
from netdsl.ir.graph import Layer, Value, Variable
from netdsl.ir.op import ShapeError
from netdsl.ops import elementwise, reduction
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span


COUNTED = """\
An operand is an instance, a place below one (`encoder.stage`), a parameter (`fc.weight`) or a list
of such; without one it is all that is made so far, of the model or of the layer around it. What
several hold is counted once; copies and frozen layers are not trained and do not count.

Counted are the weights: parameters of two axes or more, but for those called `bias`. `all = true`
counts biases and the scales of norms too, which one mostly lets be."""
L1 = InstanceFunction("l1_penalty", f"""\
l1_penalty(*m, all = false)

Σ |w| over the weights at or below a layer. Added to a loss, it draws every weight towards 0 by the
same step however small it is, so that those that matter little vanish (Tibshirani 1996, the lasso):

    loss total = ce + 1e-4 * l1_penalty(body)

{COUNTED}""")
L2 = InstanceFunction("l2_penalty", f"""\
l2_penalty(*m, all = false)

Σ w² over the weights at or below a layer. Added to a loss, it draws every weight towards 0 by a
share of itself (ridge regression). `λ / 2 * l2_penalty()` gives the steps of sgd's
`weight_decay = λ`, which however takes biases and norms too; with Adam the two are not the same:

    loss total = ce + 5e-4 / 2 * l2_penalty(body, head)

{COUNTED}""")
PENALTIES = {penalty.name: penalty for penalty in (L1, L2)}


@dataclass(frozen=True)
class Penalised:
    """A penalty of the model: the label paths that it is about, the parameters that it `counted`,
    biases and those of one axis too where it takes `all`."""

    penalty: InstanceFunction
    span: Span
    paths: frozenset[str]
    all: bool
    counted: list[str] = field(default_factory=list)


def penalise(
    b: Builder, frame: Frame, penalty: InstanceFunction, given: list[Given], span: Span
) -> Any:
    """The penalty as a scalar tensor; UNKNOWN after reporting."""
    operands = list(_spread(b, [g for g in given if g.name is None]))
    bound = bind(b, penalty.name, ("all",), [g for g in given if g.name is not None])
    if bound is None or any(g.value is UNKNOWN for g in (*operands, *bound.values())):
        return UNKNOWN
    if any(isinstance(g.value, Instance) and g.value.failed for g in operands):
        return UNKNOWN
    takes_all = bound["all"].value if "all" in bound else False
    if not isinstance(takes_all, bool):
        b.complain(WrongKind, bound["all"].span, described(takes_all), "true or false")
        return UNKNOWN
    paths = [_path(b, frame, g) for g in operands] if operands else [frame.labels.path]
    if None in paths:
        return UNKNOWN
    told = Penalised(penalty, span, frozenset(paths), takes_all)
    told.counted.extend(_counted(b, told))
    b.penalised.append(told)
    return _sum(b, frame, penalty, [b.variables[name] for name in told.counted], span)


def _spread(b: Builder, given: list[Given]) -> Iterator[Given]:
    """The operands with the items of lists among them."""
    for each in given:
        b.count_step(each.span)  # lists of lists soon hold very much
        if isinstance(each.value, list):
            yield from _spread(b, [Given(None, item, each.span) for item in each.value])
        else:
            yield each


def _path(b: Builder, frame: Frame, given: Given) -> str | None:
    """The label path that an operand stands for; None after reporting."""
    match given.value:
        case Instance(path=path) | Place(path=path):
            return path
        case Value(name=name) as value if name in b.variables:
            if b.variables[name].value is value and b.variables[name].kind == "parameter":
                return name
    way = _way(b, frame, given.value, given.span) if isinstance(given.value, Value) else None
    b.complain(WrongKind, given.span, described(given.value), "an instance of a layer or a "
               "parameter", way)
    return None


def _way(b: Builder, frame: Frame, value: Value, span: Span) -> str:
    """What to write where a tensor is penalised: mostly the layer that made it is meant."""
    made = None if value.node is None else b.instances.get(value.node.path)
    if made is None:
        return f"`sum({span.text} ** 2)` takes any tensor"
    name, text = made.path.rpartition(".")[2], short(made.span)
    if frame.find(name) is made:
        return f"`{name}`, the layer that makes it"
    return (f"bind the layer that makes it, `{name} = {text}`, write `-> {name}` in its place, and "
            f"`{name}` here")


def _counted(b: Builder, told: Penalised) -> Iterator[str]:
    """The names of the parameters there are by now that a penalty is about."""
    b.count_step(told.span, len(b.variables) // 4)
    for name, variable in b.variables.items():
        if variable.kind != "parameter" or not variable.trained:
            continue
        is_weight = variable.type.rank > 1 and name.rpartition(".")[2] != "bias"
        named = name in told.paths or is_weight or told.all
        if named and not told.paths.isdisjoint(("", *prefixes(name))):
            yield name


def _sum(
    b: Builder, frame: Frame, penalty: InstanceFunction, weights: list[Variable], span: Span
) -> Any:
    """Σ |w| or Σ w² over all elements of the weights."""
    path = join(frame.labels.path, frame.labels.number(penalty.name))

    def emit(op, *inputs: Value, **attributes) -> Value:
        return b.emit(op, inputs, attributes, path, span)

    def over_all(weight: Value) -> Value:
        parts = emit(elementwise.square if penalty is L2 else elementwise.abs_, weight)
        return emit(reduction.sum_, parts, axes=tuple(range(weight.type.rank)))

    if not weights:  # told when the model is whole
        return constant(b, 0, "f32", path, span)
    try:
        total = reduce(lambda x, y: emit(elementwise.add, x, y),
                       [over_all(weight.value) for weight in weights])
    except ShapeError as error:  # of several dtypes
        b.complain(BadOperation, span, penalty.name, error.message)
        return UNKNOWN
    types = tuple(weight.type for weight in weights)
    b.layers.append(Layer(path, penalty.name, types, (total.type,), True, span))
    return total


def examine_penalties(b: Builder) -> None:
    """Report penalties that miss weights made behind them, or count none."""
    for each in b.penalised:
        late = next((name for name in _counted(b, each) if name not in each.counted), None)
        if late is not None:
            b.complain(PenaltyTooEarly, each.span, each.penalty.name, late,
                       b.variables[late].span)
        elif not each.counted:
            b.complain(NothingToPenalise, each.span, each.penalty.name,
                       any(_counted(b, replace(each, all=True))))
