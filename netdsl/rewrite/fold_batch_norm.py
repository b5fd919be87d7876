"""Batch norm of inference, folded into the convolution or linear layer before it.

    s (W∗x + b - mean) + shift  =  (sW)∗x + (s (b - mean) + shift),   s = weight / √(variance + ε)

Folded where the layer's result goes nowhere else and all numbers concerned are variables. A layer
that is applied several times is folded if the same batch norm follows every time. The weight
keeps its name; a bias that was not there appears as `<owner of the weight>.bias`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import replace

import numpy as np

from netdsl.ir.graph import Emitter, Graph, Initializer, Node, Value, Variable
from netdsl.ir.op import Op
from netdsl.ir.tensor import TensorType
from netdsl.ops.conv import conv
from netdsl.ops.matmul import linear
from netdsl.ops.norm import normalize
from netdsl.rewrite.rebuild import rebuild

# Ops y = W·x + b of (x, weight, bias?) whose output channels are axis 0 of W. Those channels must
# be axis 1 of y, which batch norm works on: the number is the only rank where they are.
ABSORBING: dict[Op, int | None] = {conv: None, linear: 2}


def fold_batch_norm(
    graph: Graph, weights: Mapping[str, np.ndarray]
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph with fewer nodes, and the values of exactly its variables."""
    names = {variable.value: name for name, variable in graph.variables.items()}
    variables, values = dict(graph.variables), dict(weights)
    biases: dict[tuple, Value] = {}  # of the layers folded so far
    folded = foldable(graph, names)
    for norm, kind in folded.items():
        if kind in biases:
            continue
        layer = norm.inputs[0].node
        bias = layer.inputs[2]
        if bias is None:
            added = zero_bias(layer, names, variables, graph)
            variables[added.name], names[added.value] = added, added.name
            values[added.name] = np.zeros(added.type.shape, added.type.numpy_dtype)
            bias = added.value
        absorb(norm, names[layer.inputs[1]], names[bias], names, values)
        biases[kind] = bias

    def merged(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if node not in folded:
            return None
        layer = inputs[0].node  # as it is by now; nothing else uses it, so it goes away
        operands = (*layer.inputs[:2], biases[folded[node]])
        return (emit.at(layer).with_attrs(layer.op, operands, layer.attrs),)

    result = rebuild(replace(graph, variables=variables), merged)
    return result, {name: values[name] for name in result.variables}


def foldable(graph: Graph, names: Container[Value]) -> dict[Node, tuple]:
    """The norms that can be folded; for each its kind: what the folded numbers come from."""
    uses = Counter(graph.results())
    uses.update(value for node in graph.nodes for value in node.inputs if value is not None)
    kinds = {}
    for node in graph.nodes:
        if node.op is normalize and follows_layer(node, names, uses):
            _, weight, bias = node.inputs[0].node.inputs
            kinds[node] = (weight, bias, *node.inputs[1:], node.attrs.eps)
    # a weight or bias is rewritten once, so all its uses must want the same numbers
    times = Counter(kinds.values())
    return {
        node: kind for node, kind in kinds.items()
        if all(uses[variable] == times[kind] for variable in kind[:2] if variable is not None)
    }


def follows_layer(norm: Node, names: Container[Value], uses: Mapping[Value, int]) -> bool:
    """Whether x comes from an absorbing layer, for this norm alone, and all else is variables."""
    x, *vectors = norm.inputs
    layer = x.node
    if layer is None or layer.op not in ABSORBING or uses[x] != 1:
        return False
    if ABSORBING[layer.op] not in (None, x.type.rank):
        return False
    return all(value in names for value in (*layer.inputs[1:], *vectors) if value is not None)


def zero_bias(
    layer: Node, names: Mapping[Value, str], variables: Container[str], graph: Graph
) -> Variable:
    """The bias that a layer without one gets."""
    weight = layer.inputs[1]
    owner = names[weight].rpartition(".")[0]
    name = f"{owner}.bias" if owner else "bias"
    while name in variables or name in graph.inputs or name in graph.outputs:
        name += "_folded"
    value = Value(TensorType(weight.dtype, weight.shape[:1]), name=name)
    return Variable(name, "parameter", value, Initializer("zeros"))


def absorb(
    norm: Node, weight: str, bias: str, names: Mapping[Value, str], values: dict[str, np.ndarray]
) -> None:
    """Write the folded weight and bias into `values`; computed in float64, rounded once."""
    gain, shift, mean, variance = (
        values[names[vector]].astype(np.float64) for vector in norm.inputs[1:]
    )
    with np.errstate(invalid="ignore"):  # a negative variance gives NaN, here as in the norm
        scale = gain / np.sqrt(variance + norm.attrs.eps)
    old_weight, old_bias = values[weight], values[bias]
    column = scale.reshape(-1, *(1,) * (old_weight.ndim - 1))
    values[weight] = (old_weight * column).astype(old_weight.dtype)
    values[bias] = (scale * (old_bias - mean) + shift).astype(old_bias.dtype)
