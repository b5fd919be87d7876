"""A slice between named values: from some that are fed to some that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.rewrite.rebuild import rebuild


def named_values(graph: Graph) -> dict[str, Value]:
    """Everything of a graph that has a name of its own: bound names, dotted for those in layers,
    and results."""
    return {**graph.names, **graph.outputs, **graph.losses, **graph.metrics}


def between(graph: Graph, outputs: Iterable[str], begin: Iterable[str] = ()) -> Graph:
    """The graph whose outputs are the named values `outputs` and in which the named values `begin`
    are inputs. Nothing else remains of it. Raises KeyError for a name that does not exist."""
    known = named_values(graph)
    cut = {
        known[name]: Value(known[name].type, name=name) for name in begin
        if known[name].node is not None  # an input is one already
    }
    asked = replace(
        graph, outputs={name: known[name] for name in outputs}, losses={}, metrics={},
        updates={}, gradients={}, copies={},
    )
    return fed_at(asked, cut)


def fed_at(graph: Graph, cut: Mapping[Value, Value]) -> Graph:
    """The graph in which leaves stand for some values that nodes made: inputs, by their names."""
    fed = replace(graph, inputs={**graph.inputs, **{leaf.name: leaf for leaf in cut.values()}})

    def begun(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if cut.keys().isdisjoint(node.outputs):
            return None
        made = emit.outputs(node.op, inputs, node.attrs)
        return tuple(cut.get(old, new) for old, new in zip(node.outputs, made))

    return rebuild(fed, begun)
