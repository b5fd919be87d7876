"""A graph as readable text, for golden tests and for looking at what a pass did.

    %3: f32[B, 16, 8, 8] = conv(%image, conv1.weight, none) {stride: (1, 1), …}   # conv1

Values are numbered in the order of the nodes; inputs carry `%` and their name, variables their
label path alone. Equal graphs print equally.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import count
from typing import Any

from netdsl.ir.graph import Graph, Initializer, Node, Value
from netdsl.ir.op import Attrs
from netdsl.ir.tensor import show_shape


def print_graph(graph: Graph) -> str:
    """The whole graph, one line for each input, variable, node and result; no line end at its
    end. A value that the graph does not hold prints as `%?`."""
    names = _leaf_names(graph)
    lines = [f"graph {graph.name}"]
    for name, value in graph.inputs.items():
        low_high = graph.ranges.get(name)
        within = "" if low_high is None else f" in {low_high[0]}..{low_high[1]}"
        within += "".join(f" or {number}" for number in sorted(graph.besides.get(name, ())))
        lines.append(f"input %{name}: {value.type}{within}")
    if graph.key is not None:
        lines.append(f"key %key: {graph.key.type}")
    for variable in graph.variables.values():
        frozen = "" if variable.trained else "frozen "
        begin = variable.initializer
        shown = _initializer(begin) if isinstance(begin, Initializer) else "computed"
        lines.append(f"{frozen}{variable.kind} {variable.name}: {variable.type} = {shown}")
    number = count()
    for node in graph.nodes:
        names |= {output: f"%{next(number)}" for output in node.outputs}
        lines.append(_node(node, names))
    for role, word in _ROLES.items():
        for name, value in getattr(graph, role).items():
            lines.append(f"{word} {name} = {_reference(value, names)}")
    for name, copy in graph.copies.items():
        decay = "" if copy.decay is None else f" with {_reference(copy.decay, names)}"
        lines.append(f"copy {name} follows {copy.source}{decay}")
    return "\n".join(lines)


_ROLES = {"outputs": "output", "losses": "loss", "metrics": "metric", "updates": "update",
          "gradients": "gradient"}


def _leaf_names(graph: Graph) -> dict[Value, str]:
    names = {value: f"%{name}" for name, value in graph.inputs.items()}
    names |= {variable.value: name for name, variable in graph.variables.items()}
    if graph.key is not None:
        names[graph.key] = "%key"
    return names


def _node(node: Node, names: Mapping[Value, str]) -> str:
    made = ", ".join(f"{names[output]}: {output.type}" for output in node.outputs)
    taken = ", ".join(_reference(value, names) for value in node.inputs)
    where = f"   # {node.path}" if node.path else ""
    return f"{made} = {node.op.name}({taken}){_attrs(node.attrs)}{where}"


def _reference(value: Value | None, names: Mapping[Value, str]) -> str:
    return "none" if value is None else names.get(value, "%?")


def _attrs(attrs: Attrs) -> str:
    written = [f"{f.name}: {_entry(getattr(attrs, f.name), f.name)}" for f in fields(attrs)]
    return " {" + ", ".join(written) + "}" if written else ""


def _entry(entry: Any, name: str) -> str:
    if name == "shape":
        return show_shape(entry)
    if entry is None or isinstance(entry, bool):
        return str(entry).lower()
    if isinstance(entry, tuple):
        return "(" + ", ".join(_entry(item, "") for item in entry) + ")"
    return str(entry)


def _initializer(begin: Initializer) -> str:
    return f"{begin.name}({', '.join(map(repr, begin.arguments))})"
