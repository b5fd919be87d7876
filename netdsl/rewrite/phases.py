"""The three graphs of a model: slices by what is asked of it, never by tags.

infer     what the outputs need, in inference mode, committing nothing
train     what the minimised losses need, with the updates of the state they pass
validate  losses, metrics and outputs, in inference mode, committing nothing

What a model asserts of the number of rows alone (`K % B == 0`) is for training, which chooses it:
inference takes any number of rows that its own nodes can work on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.rewrite.rebuild import prune, rebuild

PHASES = ("infer", "train", "validate")


def infer(graph: Graph) -> Graph:
    """The slice that the outputs need."""
    outputs = replace(graph, losses={}, metrics={}, updates={}, gradients={}, copies={})
    return inference_mode(prune(for_any_rows(outputs)))


def validate(graph: Graph) -> Graph:
    """The slice that losses, metrics and outputs need."""
    return inference_mode(prune(for_any_rows(replace(graph, updates={}, gradients={}, copies={}))))


def for_any_rows(graph: Graph) -> Graph:
    """The graph in which an assertion about the batch counts only for nodes that rest on it."""
    assumptions = tuple(replace(each, of_batch=False) for each in graph.assumptions)
    return replace(graph, assumptions=assumptions)


def train(graph: Graph, losses: Iterable[str] | None = None) -> Graph:
    """The slice that these losses need (all of the model's when None), with metrics dropped.

    A buffer is moved by the passes that a loss depends on, in the order of the program; passes
    for outputs alone leave it as it was. A state of the user's is always updated. Copies stay
    that follow a variable of this slice.
    """
    chosen = {name: graph.losses[name] for name in (graph.losses if losses is None else losses)}
    kinds = {name: graph.variables[name].kind for name in graph.updates}
    states = [value for name, value in graph.updates.items() if kinds[name] == "state"]
    graph = carried_past(graph, passes(graph.nodes, (*chosen.values(), *states)))
    updates = {name: value for name, value in graph.updates.items()
               if kinds[name] == "state" or value is not graph.variables[name].value}
    bare = replace(graph, outputs={}, metrics={}, gradients={}, updates=updates, copies={},
                   losses={name: graph.losses[name] for name in chosen})
    slice = prune(bare)
    copies = {name: c for name, c in graph.copies.items() if c.source in slice.variables}
    return prune(replace(bare, copies=copies)) if copies else slice


def passes(nodes: Iterable[Node], roots: Iterable[Value]) -> set[Node]:
    """The nodes that the roots depend on, running statistics and the like left aside."""
    live, kept = set(roots), set()
    for node in reversed(tuple(nodes)):
        if live.isdisjoint(node.outputs):
            continue
        kept.add(node)
        carried = {i for i, _ in node.op.carries}
        live.update(v for i, v in enumerate(node.inputs) if v is not None and i not in carried)
    return kept


def carried_past(graph: Graph, kept: set[Node]) -> Graph:
    """The graph in which nodes outside of `kept` hand state on as they found it."""
    if all(node in kept for node in graph.nodes if node.op.carries):
        return graph

    def handed_on(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if node in kept or not node.op.carries:
            return None
        outputs = list(emit.outputs(node.op, inputs, node.attrs))
        for i, o in node.op.carries:
            outputs[o] = inputs[i]
        return tuple(outputs)

    return rebuild(graph, handed_on)


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
