"""The three graphs of a model: slices by what is asked of it, never by tags.

infer     what the outputs need, in inference mode, committing nothing
train     what the minimised losses need, with the updates of the state they pass
validate  losses, metrics and outputs, in inference mode, committing nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.rewrite.rebuild import needed, prune, rebuild

PHASES = ("infer", "train", "validate")


def infer(graph: Graph) -> Graph:
    """The slice that the outputs need."""
    return inference_mode(prune(replace(graph, losses={}, metrics={}, updates={}, gradients={})))


def validate(graph: Graph) -> Graph:
    """The slice that losses, metrics and outputs need."""
    return inference_mode(prune(replace(graph, updates={}, gradients={})))


def train(graph: Graph, losses: Iterable[str] | None = None) -> Graph:
    """The slice that these losses need (all of the model's when None), with metrics dropped.

    A buffer is updated here when a node on the way to a loss computes its next value; a state
    of the user's always is.
    """
    chosen = {name: graph.losses[name] for name in (graph.losses if losses is None else losses)}
    _, live = needed(graph.nodes, chosen.values())
    updates = {
        name: value
        for name, value in graph.updates.items()
        if value in live or graph.variables[name].kind == "state"
    }
    return prune(
        replace(graph, outputs={}, metrics={}, gradients={}, losses=chosen, updates=updates)
    )


def phase(graph: Graph, name: str) -> Graph:
    """The slice called `name`: one of `PHASES`."""
    return {"infer": infer, "train": train, "validate": validate}[name](graph)


def inference_mode(graph: Graph) -> Graph:
    """Every node in the form it has where nothing is trained: dropout gone, statistics fixed."""
    return rebuild(graph, settled)


def settled(
    node: Node, inputs: tuple[Value | None, ...], emit: Emitter
) -> tuple[Value, ...] | None:
    """What stands for one node where nothing is trained; None: the node itself."""
    if node.op.inference is None:
        return None
    stand_in = Node(node.op, inputs, node.attrs, (), node.path, node.span)
    made = node.op.inference(emit, stand_in)
    return made if isinstance(made, tuple) else (made,)
