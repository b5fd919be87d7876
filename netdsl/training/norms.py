"""Norms of gradients: clipping by that of all together, and those of single layers for who watches.

All of it is nodes of the training graph; sums of squares are added up in float64.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from netdsl.ir.graph import Emitter, Graph, Value
from netdsl.ops.constant import full
from netdsl.ops.elementwise import Term, add, cast, minimum, sqrt
from netdsl.ops.reduction import sum_

TINY = 1e-6  # keeps a gradient of 0 from being divided by, as in PyTorch's clip_grad_norm_


def clipped(graph: Graph, limit: float) -> Graph:
    """The graph with its gradients scaled by min(1, limit / (‖g‖ + 1e-6)), where ‖g‖ is the norm
    of all of them as one vector (Pascanu et al. 2013; PyTorch's clip_grad_norm_)."""
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    norm = root(emit, [square_sum(emit, g) for g in graph.gradients.values()])
    scale = (limit / (norm + TINY)).value
    scale = emit(minimum, scale, emit(full, value=1.0, dtype="f64"))
    gradients = {
        name: (Term(emit, g) * Term(emit, emit(cast, scale, dtype=g.dtype))).value
        for name, g in graph.gradients.items()
    }
    return replace(graph, nodes=tuple(emit.nodes), gradients=gradients)


def with_norms(graph: Graph) -> Graph:
    """The graph whose metrics are the gradients' norms by layer: the label path above the
    parameters, in the order of the parameters."""
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    layers: dict[str, list[Value]] = {}
    for name in graph.parameters:
        if name in graph.gradients:
            parts = layers.setdefault(name.rpartition(".")[0] or name, [])
            parts.append(square_sum(emit, graph.gradients[name]))
    norms = {path: root(emit, parts).value for path, parts in layers.items()}
    return replace(graph, nodes=tuple(emit.nodes), metrics={**graph.metrics, **norms})


def square_sum(emit: Emitter, x: Value) -> Value:
    """Σ x² over all elements, f64[]."""
    term = Term(emit, x)
    whole = emit(sum_, (term * term).value, axes=tuple(range(x.type.rank)))
    return emit(cast, whole, dtype="f64")


def root(emit: Emitter, squares: list[Value]) -> Term:
    """The root of their sum, f64[]."""
    return Term(emit, reduce(lambda a, b: emit(add, a, b), squares)).then(sqrt)
