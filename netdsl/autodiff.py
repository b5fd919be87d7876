"""Reverse-mode differentiation on the graph: a graph with losses in, the same graph with gradients
out. The backward pass is nodes like any other, so it is checked, planned, costed and printed with
the same tools; there is no tape.

    ḡ(x) = Σ over uses of x of (∂use/∂x)ᵀ ḡ(use)

Values are visited from the losses back; each node's `gradient` facet turns the gradients of its
outputs into nodes for those of its inputs, and a value used twice adds what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.ops.constant import full
from netdsl.ops.elementwise import add
from netdsl.ops.layout import reshape
from netdsl.rewrite.rebuild import needed, prune


def differentiate(graph: Graph, losses: Iterable[str], wrt: Iterable[str]) -> Graph:
    """The graph with `gradients[name]` for every variable in `wrt`: of the sum of `losses`. The
    gradients that it has of other variables stay.

    A variable that no loss depends on has the gradient 0. Raises NotDefined for an operation
    without a gradient on the way, naming the reason.
    """
    wanted = {name: graph.variables[name].value for name in wrt}
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    roots = {}
    for loss in (graph.losses[name] for name in losses):
        one = emit(full, value=1.0, shape=loss.shape, dtype=loss.dtype)
        roots[loss] = emit(add, roots[loss], one) if loss in roots else one
    flows = pull_back(emit, roots, wanted.values())
    gradients = {}
    for name, value in wanted.items():
        still = value not in flows
        gradients[name] = (
            emit(full, value=0.0, shape=value.shape, dtype=value.dtype) if still else flows[value]
        )
    return prune(
        replace(graph, nodes=tuple(emit.nodes), gradients={**graph.gradients, **gradients}))


def pull_back(
    emit: Emitter, roots: Mapping[Value, Value], wrt: Iterable[Value]
) -> dict[Value, Value]:
    """The gradients of Σ root · flow for the flows that `roots` maps to, by value: of everything
    between the roots and `wrt` that one depends on. `emit` holds the nodes; those of the backward
    pass are added to it. Raises NotDefined."""
    nodes, _ = needed(emit.nodes, roots)
    moving = depending(nodes, wrt)
    flows: dict[Value, Value] = {}

    def flow_into(value: Value | None, flow: Value | None) -> None:
        if flow is None or value not in moving:
            return
        if flow.shape != value.shape:  # written in other names for sizes that were assumed equal
            flow = emit(reshape, flow, shape=value.shape)
        flows[value] = emit(add, flows[value], flow) if value in flows else flow

    for root, flow in roots.items():
        flow_into(root, flow)
    for node in reversed(nodes):
        outward = [flows.get(value) for value in node.outputs]
        if all(flow is None for flow in outward):
            continue
        inward = node.op.facet("gradient")(emit.at(node), node, *outward)
        for value, flow in zip(node.inputs, inward):
            flow_into(value, flow)
    return flows


def depending(nodes: Iterable[Node], wrt: Iterable[Value]) -> set[Value]:
    """The values that depend on `wrt` through floats, and through what lets gradients flow."""
    moving = set(wrt)
    for node in nodes:
        if not node.op.stops and any(value in moving for value in node.inputs):
            moving.update(value for value in node.outputs if value.type.is_float)
    return moving
