"""Common subexpressions: of nodes with the same op, attributes and operands the first stays.

Operations that draw name their stream in their attributes, so that equal nodes draw equally.
"""

from __future__ import annotations

from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.rewrite.rebuild import rebuild


def deduplicate(graph: Graph) -> Graph:
    """The graph computing everything once."""
    made: dict[tuple, tuple[Value, ...]] = {}

    def first_of_its_kind(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        # by repr, because 0.0 == -0.0 and 1 == True
        kind = (node.op, repr(node.attrs), inputs)
        if kind in made:
            return made[kind]
        if inputs == node.inputs:
            made[kind] = node.outputs
            return None
        made[kind] = emit.outputs(node.op, inputs, node.attrs)
        return made[kind]

    return rebuild(graph, first_of_its_kind)
