"""The walk that every rewrite shares: nodes in order, some replaced, the rest kept as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from netdsl.ir.dim import Expr, free_symbols
from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.ir.relations import Assumption

Replace = Callable[[Node, tuple[Value | None, ...], Emitter], tuple[Value, ...] | None]


def rebuild(graph: Graph, replacement: Replace) -> Graph:
    """The graph with every node passed through `replacement(node, inputs, emit)`.

    `inputs` are the node's inputs as they are now. The replacement emits what should stand there
    and returns one value for each output of the node, or None to keep the node.
    """
    now: dict[Value, Value] = {}
    emit = Emitter()
    for node in graph.nodes:
        inputs = tuple(None if v is None else now.get(v, v) for v in node.inputs)
        outputs = replacement(node, inputs, emit.at(node))
        if outputs is None:
            if all(a is b for a, b in zip(inputs, node.inputs)):
                emit.nodes.append(node)
                continue
            outputs = emit.outputs(node.op, inputs, node.attrs)
        now.update(zip(node.outputs, outputs))
    return prune(renamed(replace(graph, nodes=tuple(emit.nodes)), now))


def renamed(graph: Graph, now: dict[Value, Value]) -> Graph:
    """The graph with every role pointing to the values that took the place of its own."""

    def follow(role: dict[str, Value]) -> dict[str, Value]:
        return {name: now.get(value, value) for name, value in role.items()}

    copies = {
        name: replace(copy, decay=now.get(copy.decay, copy.decay))
        for name, copy in graph.copies.items()
    }
    return replace(
        graph,
        outputs=follow(graph.outputs), losses=follow(graph.losses),
        metrics=follow(graph.metrics), updates=follow(graph.updates),
        gradients=follow(graph.gradients), names=follow(graph.names), copies=copies,
    )


def prune(graph: Graph) -> Graph:
    """The graph without what no result needs: nodes, inputs, variables, names, assumptions.

    Layers stay while one of their nodes does, and so does what a layer asserts; an assumption
    stays while a node rests on it and its sizes are those of inputs.
    """
    nodes, live = needed(graph.nodes, graph.results())
    sources = (copy.source for copy in graph.copies.values())
    live |= {graph.variables[n].value for n in (*graph.updates, *graph.copies, *sources)}
    paths = {path for node in nodes for path in prefixes(node.path)}
    inputs = _inputs(graph, nodes, live)
    return replace(
        graph,
        nodes=nodes,
        inputs=inputs,
        ranges={name: limits for name, limits in graph.ranges.items() if name in inputs},
        besides={name: more for name, more in graph.besides.items() if name in inputs},
        variables={name: v for name, v in graph.variables.items() if v.value in live},
        names={name: v for name, v in graph.names.items() if v in live},
        key=graph.key if graph.key in live else None,
        layers=tuple(layer for layer in graph.layers if layer.path in paths),
        assumptions=_assumed(graph.assumptions, nodes, paths, inputs),
    )


def _inputs(graph: Graph, nodes: Iterable[Node], live: set[Value]) -> dict[str, Value]:
    """The inputs that are read, and those that alone tell a size which a node has."""
    told = _symbols(v for v in graph.inputs.values() if v in live)
    missing = graph.symbols - told
    if missing:
        missing &= _symbols(value for node in nodes for value in node.outputs).union(
            *(free_symbols(size) for node in nodes for field in fields(node.attrs)
              for size in sizes_in(getattr(node.attrs, field.name))))
    inputs = {}
    for name, value in graph.inputs.items():
        if value in live or missing & value.type.symbols:
            inputs[name] = value
            missing -= value.type.symbols
    return inputs


def sizes_in(attribute: Any) -> Iterator[Expr]:
    """The sizes with free dimensions in an attribute."""
    if isinstance(attribute, Expr):
        yield attribute
    elif isinstance(attribute, tuple):
        for part in attribute:
            yield from sizes_in(part)


def _symbols(values: Iterable[Value]) -> frozenset[str]:
    return frozenset().union(*(value.type.symbols for value in values))


def _assumed(
    assumptions: tuple[Assumption, ...], nodes: Iterable[Node], paths: set[str],
    inputs: dict[str, Value],
) -> tuple[Assumption, ...]:
    """Those that concern these nodes and inputs."""
    if not assumptions:
        return ()
    places = {(node.path, node.span) for node in nodes}
    symbols = _symbols(inputs.values())
    return tuple(
        each for each in assumptions
        if each.relation.symbols <= symbols and (each.of_batch or each.is_needed(places, paths))
    )


def needed(
    nodes: Iterable[Node], roots: Iterable[Value]
) -> tuple[tuple[Node, ...], set[Value]]:
    """The nodes that the roots depend on, in their order, and every value those read or make."""
    live = set(roots)
    kept = []
    for node in reversed(tuple(nodes)):
        if any(value in live for value in node.outputs):
            kept.append(node)
            live.update(value for value in node.inputs if value is not None)
    live.update(value for node in kept for value in node.outputs)
    return tuple(reversed(kept)), live


def prefixes(path: str) -> Iterable[str]:
    """A label path and every path above it: a.b.c, a.b, a."""
    while path:
        yield path
        path = path.rpartition(".")[0]
