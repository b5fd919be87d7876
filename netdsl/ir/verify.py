"""What is true of every graph, checked: the builder and each rewrite must leave it so.

A graph that breaks one of these is a fault of ours, never of the user; tests call `verify` after
every pass over every model.
"""

from __future__ import annotations

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.op import ShapeError


class GraphError(AssertionError):
    """An invariant of the graph is broken; the message says which, and where."""


def verify(graph: Graph) -> None:
    """Raises GraphError unless all of this holds:

    - inputs, variables and the key are leaves, each under one name; a variable's name is its key;
    - every operand is a leaf or the output of an earlier node, and no node stands twice;
    - a node has its op's attributes and operands, and its types are what the shape rule gives;
    - results and named values belong to the graph; losses and metrics are scalars;
    - updates and gradients go by the names of variables and have their types; copies, their
      sources and decays belong to the graph;
    - free dimensions and ranges are those of inputs.
    """
    known = _leaves(graph)
    for number, node in enumerate(graph.nodes):
        where = f"node {number}, {node.op.name} of {node.path or 'the model'}"
        _check_operands(node, known, where)
        _check_types(node, graph.symbols, where)
        for index, output in enumerate(node.outputs):
            _hold(output.node is node and output.index == index, f"{where}: a foreign output")
            _hold(output not in known, f"{where} stands twice")
            known.add(output)
    _check_roles(graph, known)


def _hold(condition: bool, message: str) -> None:
    if not condition:
        raise GraphError(message)


def _leaves(graph: Graph) -> set[Value]:
    """Every value that is there before the first node."""
    for name, variable in graph.variables.items():
        _hold(variable.name == name, f"the variable {variable.name} is kept as {name}")
        _hold(name not in graph.inputs, f"{name} is an input and a variable")
    leaves = [*graph.inputs.values(), *(v.value for v in graph.variables.values())]
    if graph.key is not None:
        leaves.append(graph.key)
    for value in leaves:
        _hold(value.node is None, f"{value} is called a leaf, but {value.node} makes it")
    _hold(len(set(leaves)) == len(leaves), "one value is a leaf under two names")
    return set(leaves)


def _check_operands(node: Node, known: set[Value], where: str) -> None:
    declared = node.op.inputs
    variadic = bool(declared) and declared[-1].endswith("*")
    fits = variadic or len(node.inputs) == len(declared)
    _hold(fits, f"{where} has {len(node.inputs)} operands for {declared}")
    for position, value in enumerate(node.inputs):
        name = declared[min(position, len(declared) - 1)]
        if value is None:
            _hold(name.endswith("?"), f"{where}: the operand {name} is missing")
        else:
            _hold(value in known, f"{where}: the operand {name}, {value}, is made nowhere above")


def _check_types(node: Node, symbols: frozenset[str], where: str) -> None:
    _hold(type(node.attrs) is node.op.attrs, f"{where} has attributes {node.attrs}")
    try:
        inferred = node.op.shape(node.attrs, *(v and v.type for v in node.inputs))
    except ShapeError as error:
        raise GraphError(f"{where}: {error.message}") from error
    types = inferred if isinstance(inferred, tuple) else (inferred,)
    found = tuple(output.type for output in node.outputs)
    _hold(found == types, f"{where} has {found}, its rule gives {types}")
    for made in found:
        free = made.symbols - symbols
        _hold(not free, f"{where}: no input tells the free dimensions {sorted(free)}")


def _check_roles(graph: Graph, known: set[Value]) -> None:
    for role in ("outputs", "losses", "metrics", "updates", "gradients", "names"):
        for name, value in getattr(graph, role).items():
            _hold(value in known, f"{role}: {name} is not made in this graph")
    for name, value in {**graph.losses, **graph.metrics}.items():
        _hold(value.shape == (), f"the loss or metric {name} is {value.type}")
    for role in ("updates", "gradients"):
        for name, value in getattr(graph, role).items():
            _hold(name in graph.variables, f"{role}: there is no variable {name}")
            declared = graph.variables[name].type
            _hold(value.type == declared, f"{role}: {name} is {declared}, not {value.type}")
    for name, copy in graph.copies.items():
        for variable in (name, copy.source):
            _hold(variable in graph.variables, f"copies: there is no variable {variable}")
        _hold(copy.decay is None or copy.decay in known, f"copies: the decay of {name}")
    for name in graph.ranges:
        _hold(name in graph.inputs, f"the range of {name}, which is no input")
