"""A graph node by node through the reference kernels: what every other way of running it must
equal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netdsl.ir.graph import Graph, Value


def interpret(
    graph: Graph, fed: Mapping[str, np.ndarray], variables: Mapping[str, np.ndarray],
    key: tuple[int, int] = (0, 0),
) -> dict[Value, np.ndarray]:
    """Every value of a graph without free dimensions."""
    values = {v: np.asarray(fed[name], v.type.numpy_dtype) for name, v in graph.inputs.items()}
    values |= {v.value: variables[name] for name, v in graph.variables.items()}
    if graph.key is not None:
        values[graph.key] = np.array(key, np.uint64)
    for node in graph.nodes:
        made = node.op.kernel(node.attrs, *(v if v is None else values[v] for v in node.inputs))
        values.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))
    return values
