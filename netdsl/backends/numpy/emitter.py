"""Where every value lies, and the calls that compute it: what lowering rules are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, prod
from typing import Any

import numpy as np

from netdsl.backends.numpy.program import Call
from netdsl.backends.numpy.sections import Sections
from netdsl.backends.numpy.view import Buffer, Shape, View, dense
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import TensorType

WORTH_SPLITTING = 1 << 17  # elements of simple work: a few times what a hand-over costs


class CallEmitter:
    """Adds calls: `emit(np.add, x, y, out=z)`: what is read by position, what may be written by
    keyword.

    A rule reads `emit.read(value)` and writes `emit.write(value)`. Memory that it takes in
    between is `scratch`, free again after the last call that names it.
    """

    def __init__(self, graph: Graph, lanes: int = 1):
        self.constants: dict[Buffer, np.ndarray | float] = {}
        self.sections = Sections()
        self.lanes = lanes
        self._lane: int | None = None
        self._views: dict[Value, View] = {}
        self._tenants: dict[Buffer, list[Value]] = {}  # the values that lie in a buffer
        self._shared: dict[tuple, View] = {}
        self._last_use = last_uses(graph)
        self._home = {
            value: graph.variables[name].value for name, value in graph.updates.items()
        }
        self._reserved: dict[Value, View] = {}
        self._time = -1
        self._node: Node | None = None

    def begin(self, time: int, node: Node) -> None:
        """What is emitted from now on belongs to this node."""
        self._time, self._node = time, node

    def __call__(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        call = Call(function, arguments, keywords, self._node.path, self._node.op.name)
        self.sections.add(call, self._lane)

    def parts(self, count: int, work: float) -> Iterator[tuple[int, int]]:
        """(start, stop): the shares of `count` rows that are worked on at the same time.

        `work` is that of all rows, in elements that a simple function goes through. What is
        emitted between two shares goes to the lane of the first.
        """
        lanes = min(self.lanes, count) if work >= WORTH_SPLITTING else 1
        if lanes < 2:
            yield 0, count
            return
        for lane in range(lanes):
            self._lane = lane
            yield count * lane // lanes, count * (lane + 1) // lanes
        self._lane = None

    # ------------------------------------------------------------------ memory

    def buffer(self, type: TensorType, kind: str = "arena") -> View:
        return dense(Buffer(type.numpy_dtype, type.size, kind), type.shape)

    def scratch(self, shape: Shape, dtype: np.dtype) -> View:
        """Room whose content is unknown."""
        return dense(Buffer(np.dtype(dtype), prod(shape)), shape)

    def constant(self, content: np.ndarray) -> View:
        """An array that is filled once and only read."""
        view = dense(Buffer(content.dtype, content.size, "constant"), content.shape)
        self.constants[view.buffer] = content.reshape(-1)
        return view

    def scalar(self, value: float, dtype: np.dtype) -> View:
        """A number as an array of rank 0; equal ones are one."""
        return self.filled(value, (), dtype)

    def filled(
        self, value: float, shape: Shape, dtype: np.dtype, border: object = None
    ) -> View:
        """Room that is filled once. Whoever writes within it says which `border` keeps the
        value, and shares it with those who say the same."""
        lane = None if border is None else self._lane
        key = (repr(value), shape, np.dtype(dtype), border, lane)
        if key not in self._shared:
            view = dense(Buffer(np.dtype(dtype), prod(shape), "constant"), shape)
            self.constants[view.buffer] = value
            self._shared[key] = view
        return self._shared[key]

    def known(self, view: View) -> float | None:
        """The number that all elements of a view are, where the compiler knows it."""
        number = self.constants.get(view.buffer)
        return None if view.buffer.count > 1 or isinstance(number, np.ndarray) else number

    # ------------------------------------------------------------------ values

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
        made = self.scratch(view.shape, view.dtype)
        self(copy, view, out=made)
        return made

    def write(
        self, value: Value, over: tuple[Value | None, ...] = (), by_rows: bool = False
    ) -> View:
        """Where to write `value`: in the variable that it is the next value of, in place of one
        of the values `over` that nobody reads again, or in a buffer of its own; and in the part
        of a larger value reserved for it, which a rule takes with `by_rows`: its rows are dense,
        but do not follow one another.

        Only calls that read each element no later than they write it may name operands in
        `over`; only then may the variable be written while its old value is an operand.
        """
        self.place(value, self._room(value, over, by_rows))
        return self._views[value]

    def _room(self, value: Value, over: tuple[Value | None, ...], by_rows: bool) -> View:
        if by_rows and value in self._reserved:
            return self._reserved[value]
        for candidate in self._candidates(value, over):
            if self._can_take(self._views[candidate], value, over):
                return self._views[candidate]
        return self.buffer(value.type)

    def is_home(self, value: Value) -> bool:
        """Whether `value` is the next value of a variable."""
        return value in self._home

    def reserve(self, value: Value, view: View) -> bool:
        """Ask that `value` be written in `view`; whether it may be."""
        rows_are_dense = view.rank > 0 and view.size > 0 and view.at(0, 0).is_dense
        if value in self._reserved or self.is_home(value) or not rows_are_dense:
            return False
        self._reserved[value] = view
        return True

    def reserved(self, value: Value) -> View:
        """The part reserved for `value`, or a buffer that is from now on."""
        if value not in self._reserved:
            self._reserved[value] = self.buffer(value.type)
        return self._reserved[value]

    def _candidates(self, value: Value, over: tuple[Value | None, ...]) -> Iterator[Value]:
        if value in self._home:
            yield self._home[value]
        for operand in over:
            if operand is not None and self._views[operand].buffer.kind == "arena":
                yield operand

    def _can_take(self, view: View, value: Value, over: tuple[Value | None, ...]) -> bool:
        fits = view.is_dense and view.shape == value.shape and view.dtype == value.type.numpy_dtype
        if not fits:
            return False
        tenants, inputs = self._tenants[view.buffer], self._node.inputs
        if any(self._last_use.get(tenant, -1) > self._time for tenant in tenants):
            return False
        if any(tenant in self._node.outputs for tenant in tenants):
            return False
        return all(
            inputs.count(v) == over.count(v) and self._views[v] == view
            for v in tenants if v in inputs
        )


def copy(x: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, x, casting="unsafe")


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
