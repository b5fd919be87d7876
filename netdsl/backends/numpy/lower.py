"""Graph to program: every node through the rule of its op, then the memory plan.

A rule `rule(emit, node)` reads `emit.read(value)`, writes `emit.write(value)` and emits calls in
between. Rules lie in `lowering`, in files named as those of `netdsl/ops`; an op without one runs
its reference kernel and copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import numpy as np

from netdsl.backends.numpy.lowering import RULES
from netdsl.backends.numpy.memory import lifetimes, plan
from netdsl.backends.numpy.program import Call, Program
from netdsl.backends.numpy.view import Buffer, Shape, View, dense
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import TensorType
from netdsl.rewrite.deduplicate import deduplicate

ROLES = ("outputs", "losses", "metrics", "gradients")


def compile_program(graph: Graph) -> Program:
    """The program of a graph without free dimensions."""
    graph = deduplicate(graph)
    emit = CallEmitter(graph)
    for name, value in graph.inputs.items():
        emit.place(value, emit.buffer(value.type))
    if graph.key is not None:
        emit.place(graph.key, emit.buffer(graph.key.type))
    for name, variable in graph.variables.items():
        emit.place(variable.value, emit.buffer(variable.type, "variable"))
    for time, node in enumerate(graph.nodes):
        emit.begin(time, node)
        RULES.get(node.op.name, by_reference)(emit, node)
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
    offsets, arena_bytes = plan(lifetimes(emit.calls, fed, kept))
    return Program(
        calls=tuple(emit.calls), commits=tuple(commits), inputs=inputs, key=key,
        variables={name: emit.read(v.value) for name, v in graph.variables.items()},
        results=results, offsets=offsets, constants=emit.constants, arena_bytes=arena_bytes,
    )


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
            saves.append(Call(np.copyto, (saved, source), {}, op="update"))
            source = saved
        commits.append(Call(np.copyto, (target, source), {}, op="update"))
    return saves + commits


def by_reference(emit: CallEmitter, node: Node) -> None:
    """The op's own kernel, its results copied into their buffers."""
    operands = tuple(None if v is None else emit.read(v) for v in node.inputs)
    made = tuple(emit.write(v) for v in node.outputs)
    emit(run_reference, node.op.kernel, node.attrs, operands, made)


def run_reference(kernel: Callable, attrs: Any, operands: tuple, outs: tuple) -> None:
    made = kernel(attrs, *operands)
    for out, y in zip(outs, made if isinstance(made, tuple) else (made,)):
        out[...] = y


class CallEmitter:
    """Adds calls: `emit(np.add, x, y, out)`, and knows where every value lies."""

    def __init__(self, graph: Graph):
        self.calls: list[Call] = []
        self.constants: dict[Buffer, np.ndarray | float] = {}
        self._views: dict[Value, View] = {}
        self._tenants: dict[Buffer, list[Value]] = {}  # the values that lie in a buffer
        self._shared: dict[tuple, View] = {}
        self._last_use = last_uses(graph)
        self._home = {
            value: graph.variables[name].value for name, value in graph.updates.items()
        }
        self._time = -1
        self._node: Node | None = None

    def begin(self, time: int, node: Node) -> None:
        """What is emitted from now on belongs to this node."""
        self._time, self._node = time, node

    def __call__(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        node = self._node
        self.calls.append(Call(function, arguments, keywords, node.path, node.op.name))

    # -------------------------------------------------------------- places

    def buffer(self, type: TensorType, kind: str = "arena") -> View:
        return dense(Buffer(type.numpy_dtype, type.size, kind), type.shape)

    def scratch(self, shape: Shape, dtype: np.dtype) -> View:
        """Room that is free again after the last call that names it."""
        return dense(Buffer(np.dtype(dtype), int(np.prod(shape, dtype=object))), shape)

    def constant(self, content: np.ndarray) -> View:
        """An array that is filled once; whoever writes into it restores it."""
        view = dense(Buffer(content.dtype, content.size, "constant"), content.shape)
        self.constants[view.buffer] = content.reshape(-1)
        return view

    def scalar(self, value: float, dtype: np.dtype) -> View:
        """A number as an array of rank 0; equal ones are one."""
        key = (repr(value), np.dtype(dtype))
        if key not in self._shared:
            view = dense(Buffer(np.dtype(dtype), 1, "constant"), ())
            self.constants[view.buffer] = value
            self._shared[key] = view
        return self._shared[key]

    def zeros(self, shape: Shape, dtype: np.dtype, border: object = None) -> View:
        """Zeros that are filled once. Whoever writes within them says which `border` stays zero,
        and shares them with those who say the same."""
        key = ("zeros", shape, np.dtype(dtype), border)
        if key not in self._shared:
            view = dense(Buffer(np.dtype(dtype), int(np.prod(shape, dtype=object)), "constant"),
                         shape)
            self.constants[view.buffer] = 0
            self._shared[key] = view
        return self._shared[key]

    def parts(self, count: int) -> Iterable[tuple[int, int]]:
        """(start, stop) of the shares in which `count` independent rows are worked on."""
        yield 0, count

    def place(self, value: Value, view: View) -> None:
        """From now on `value` lies in `view`."""
        self._views[value] = view
        self._tenants.setdefault(view.buffer, []).append(value)

    def read(self, value: Value) -> View:
        return self._views[value]

    def read_dense(self, value: Value) -> View:
        """The value in row-major order, copied if it does not lie so."""
        return self.dense(self.read(value))

    def dense(self, view: View) -> View:
        if view.is_dense:
            return view
        copy = self.scratch(view.shape, view.dtype)
        self(np.copyto, copy, view)
        return copy

    def write(self, value: Value, over: tuple[Value | None, ...] = ()) -> View:
        """Where to write `value`: in the variable that it is the next value of, in place of one
        of the values `over` that nobody reads again, or in a buffer of its own.

        Only calls that read each element no later than they write it may name operands in
        `over`; only then may the variable be written while its old value is an operand.
        """
        for candidate in self._candidates(value, over):
            view = self._views[candidate]
            if self._can_take(view, value, over):
                self.place(value, view)
                return view
        self.place(value, self.buffer(value.type))
        return self._views[value]

    def _candidates(self, value: Value, over: tuple[Value | None, ...]) -> Iterable[Value]:
        if value in self._home:
            yield self._home[value]
        for operand in over:
            if operand is not None and self._views[operand].buffer.kind == "arena":
                yield operand

    def _can_take(self, view: View, value: Value, over: tuple[Value | None, ...]) -> bool:
        fits = view.is_dense and view.shape == value.shape and view.dtype == value.type.numpy_dtype
        if not fits:
            return False
        tenants = self._tenants[view.buffer]
        if any(self._last_use.get(tenant, -1) > self._time for tenant in tenants):
            return False
        if any(tenant in self._node.outputs for tenant in tenants):
            return False
        read_here = [tenant for tenant in tenants if tenant in self._node.inputs]
        return all(v in over and self._views[v] == view for v in read_here)


def last_uses(graph: Graph) -> dict[Value, float]:
    """For every value the last node that reads it; what the run gives out is read after all."""
    last: dict[Value, float] = {}
    for time, node in enumerate(graph.nodes):
        for value in node.inputs:
            if value is not None:
                last[value] = time
    for value in graph.results():
        last[value] = inf
    return last
