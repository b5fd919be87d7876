"""A graph for given sizes, or in another float precision: types and attributes substituted, every
node made anew so that its shape rule runs on what it will really get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from netdsl.ir.dim import Dim, Expr, substitute
from netdsl.ir.graph import Emitter, Graph, Value
from netdsl.ir.op import Attrs, ShapeError
from netdsl.ir.relations import Assumption
from netdsl.ir.tensor import TensorType
from netdsl.rewrite.rebuild import renamed


def specialize(
    graph: Graph, sizes: Mapping[str, Dim] | None = None, dtypes: Mapping[str, str] | None = None
) -> Graph:
    """The graph with free dimensions replaced by `sizes` and dtypes by `dtypes`:
    `specialize(g, {"B": 32})`, `specialize(g, dtypes={"f32": "f64"})`.

    Raises ShapeError where the sizes do not fit or break an assumption.
    """
    sizes, dtypes = sizes or {}, dtypes or {}
    assumptions = tuple(remaining(graph.assumptions, sizes))
    now: dict[Value, Value] = {}

    def converted(type: TensorType) -> TensorType:
        return TensorType(dtypes.get(type.dtype, type.dtype), type.substitute(sizes).shape)

    def leaf(value: Value) -> Value:
        now[value] = Value(converted(value.type), name=value.name)
        return now[value]

    inputs = {name: leaf(value) for name, value in graph.inputs.items()}
    variables = {name: replace(v, value=leaf(v.value)) for name, v in graph.variables.items()}
    key = None if graph.key is None else leaf(graph.key)
    emit = Emitter()
    for node in graph.nodes:
        operands = tuple(None if v is None else now[v] for v in node.inputs)
        attrs = substituted(node.attrs, sizes, dtypes)
        now.update(zip(node.outputs, emit.at(node).outputs(node.op, operands, attrs)))
    remade = replace(
        graph, nodes=tuple(emit.nodes), inputs=inputs, variables=variables, key=key,
        assumptions=assumptions,
    )
    return renamed(remade, now)


def remaining(
    assumptions: Iterable[Assumption], sizes: Mapping[str, Dim]
) -> Iterator[Assumption]:
    """What is still assumed where these sizes are known. Raises ShapeError where one breaks it."""
    for each in assumptions:
        relation = each.relation.substitute(sizes)
        if relation is False:
            raise ShapeError(f"{each.relation} is not so, which {each.origin} needs")
        if relation is not True:
            yield replace(each, relation=relation)


def substituted(attrs: Attrs, sizes: Mapping[str, Dim], dtypes: Mapping[str, str]) -> Attrs:
    """The attributes with sizes replaced wherever they stand, and the field `dtype` by name."""
    changed = {}
    for field in fields(attrs):
        old = getattr(attrs, field.name)
        new = dtypes.get(old, old) if field.name == "dtype" else _resized(old, sizes)
        if new is not old:
            changed[field.name] = new
    return replace(attrs, **changed) if changed else attrs


def _resized(entry: Any, sizes: Mapping[str, Dim]) -> Any:
    if isinstance(entry, Expr):
        return substitute(entry, sizes)
    if isinstance(entry, tuple):
        resized = tuple(_resized(item, sizes) for item in entry)
        return entry if all(a is b for a, b in zip(resized, entry)) else resized
    return entry
