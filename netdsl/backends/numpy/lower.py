"""Graph to program: every node through the rule of its op, then the memory plan.

Rules lie in `lowering`, in files named as those of `netdsl/ops`; an op without one runs its
reference kernel and copies.
"""

from __future__ import annotations

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.lowering import RESERVATIONS, RULES
from netdsl.backends.numpy.lowering.reference import by_reference
from netdsl.backends.numpy.memory import lifetimes, plan
from netdsl.backends.numpy.program import Call, Program
from netdsl.ir.graph import Graph, Node
from netdsl.rewrite.deduplicate import deduplicate

ROLES = ("outputs", "losses", "metrics", "gradients")


def compile_program(graph: Graph, lanes: int = 1) -> Program:
    """The program of a graph without free dimensions, for so many threads."""
    graph = deduplicate(graph)
    emit = CallEmitter(graph, lanes)
    for name, value in graph.inputs.items():
        emit.place(value, emit.buffer(value.type))
    if graph.key is not None:
        emit.place(graph.key, emit.buffer(graph.key.type))
    for name, variable in graph.variables.items():
        emit.place(variable.value, emit.buffer(variable.type, "variable"))
    for node in reversed(graph.nodes):
        if node.op.name in RESERVATIONS:
            RESERVATIONS[node.op.name](emit, node)
    for time, node in enumerate(graph.nodes):
        emit.begin(time, node)
        rule = by_reference if is_empty(node) else RULES.get(node.op.name, by_reference)
        rule(emit, node)
    inputs = {name: emit.read(value) for name, value in graph.inputs.items()}
    key = None if graph.key is None else emit.read(graph.key)
    results = {
        role: {name: emit.read(value) for name, value in getattr(graph, role).items()}
        for role in ROLES
    }
    commits = commit_calls(emit, graph)
    fed = [view.buffer for view in (*inputs.values(), *([key] if key else []))]
    kept = [view.buffer for views in results.values() for view in views.values()]
    kept += [view.buffer for call in commits for view in call.views()]
    steps = emit.sections.steps()
    offsets, arena_bytes = plan(lifetimes(steps, fed, kept))
    return Program(
        steps=steps, commits=tuple(commits), inputs=inputs, key=key,
        variables={name: emit.read(v.value) for name, v in graph.variables.items()},
        results=results, offsets=offsets, constants=emit.constants, arena_bytes=arena_bytes,
    )


def is_empty(node: Node) -> bool:
    """Whether anything that the node reads or makes has no elements."""
    values = (*node.inputs, *node.outputs)
    return any(value is not None and value.type.size == 0 for value in values)


def commit_calls(emit: CallEmitter, graph: Graph) -> list[Call]:
    """Calls that move the variables on together: whoever takes the old value of a variable that
    moves too gets a copy of it first."""
    moves = []
    for name, value in graph.updates.items():
        source, target = emit.read(value), emit.read(graph.variables[name].value)
        if source != target:
            moves.append((source, target))
    moving = {target.buffer for _, target in moves}
    saves, commits = [], []
    for source, target in moves:
        if source.buffer in moving:
            saved = emit.scratch(source.shape, source.dtype)
            saves.append(Call(copy, (source,), {"out": saved}, op="update"))
            source = saved
        commits.append(Call(copy, (source,), {"out": target}, op="update"))
    return saves + commits
