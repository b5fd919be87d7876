"""The graph: values, the nodes that make them, and what the whole offers to the outside.

Everything is immutable once made, so graphs share nodes freely: a slice is the same nodes, fewer
of them. Nodes are kept in an order in which every value is made before it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netdsl.ir.assumptions import within
from netdsl.ir.dim import Dim, bounds
from netdsl.ir.op import Attrs, Op, ShapeError
from netdsl.ir.relations import Assumption
from netdsl.ir.tensor import TensorType
from netdsl.source import Span


class Value:
    """A tensor at one place of the graph. `node` is None for inputs, variables and the key."""

    __slots__ = ("type", "node", "index", "name")

    def __init__(self, type: TensorType, node: Node | None = None, index: int = 0, name: str = ""):
        self.type, self.node, self.index, self.name = type, node, index, name

    @property
    def shape(self):
        return self.type.shape

    @property
    def dtype(self) -> str:
        return self.type.dtype

    def __repr__(self) -> str:
        return f"%{self.name or hex(id(self))}: {self.type}"


class Node:
    """One application of an op. `path` is the label path of the layer it belongs to, `span` the
    place in the user's text that asked for it (None for what the compiler adds by itself)."""

    __slots__ = ("op", "inputs", "attrs", "outputs", "path", "span")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Value | None, ...],
        attrs: Attrs,
        types: tuple[TensorType, ...],
        path: str = "",
        span: Span | None = None,
    ):
        self.op, self.inputs, self.attrs, self.path, self.span = op, inputs, attrs, path, span
        self.outputs = tuple(Value(type, self, i) for i, type in enumerate(types))

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.path}>"


def ancestry(value: Value) -> tuple[list[Node], set[Value]]:
    """The nodes that make a value, each behind those it needs, and the leaves they begin from."""
    nodes: dict[Node, None] = {}
    leaves: set[Value] = set()
    open_ = [value]
    while open_:
        node = open_[-1].node
        if node is None:
            leaves.add(open_.pop())
            continue
        ahead = [v for v in node.inputs if v is not None and v.node not in nodes
                 and v not in leaves]
        open_ += ahead
        if not ahead:
            nodes[node] = None
            open_.pop()
    return list(nodes), leaves


def run_kernels(nodes: Iterable[Node], arrays: dict[Value, Any]) -> None:
    """What nodes make, by their reference kernels and one after the other, added to `arrays`, which
    hold what they begin from."""
    for node in nodes:
        operands = (None if value is None else arrays[value] for value in node.inputs)
        made = node.op.kernel(node.attrs, *operands)
        arrays.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))


@dataclass(frozen=True, slots=True)
class Initializer:
    """How a variable begins: the name of a row in `layers/initializers.py` and its arguments.
    `fans` are how many inputs an output sums and how many outputs an input reaches, where the
    variable's shape does not tell as that of a matrix [outputs, inputs] does."""

    name: str
    arguments: tuple[float | str, ...] = ()
    fans: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A named tensor that outlives a step. `kind` is "parameter", "buffer" (running statistics),
    "state" (declared in the file), "copy" (follows another variable: see `Copy`) or "slot" (an
    optimiser's memory). `initializer` is a row with arguments, or a value worked out from random
    draws and constants alone. A parameter that is not `trained` was frozen in the file."""

    name: str
    kind: str
    value: Value
    initializer: Initializer | Value
    span: Span | None = None
    trained: bool = True

    @property
    def type(self) -> TensorType:
        return self.value.type


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """How a copy follows the variable `source`, after each step that changes it:
    copy ← decay · copy + (1 - decay) · source, with a scalar decay; without one, copy ← source."""

    source: str
    decay: Value | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An instance as the user sees it: where, of which kind, what it gives. Functions without
    parameters have one too, so that a table of layers shows the whole way of the data."""

    path: str
    kind: str
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    is_function: bool = False
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A network, or a slice of one.

    `inputs` are fed; `key` (u64[2]: seed and step) seeds the random streams. `updates` maps
    variables to the value they take when a run is over; `copies` maps those that follow others to
    how they do. `names` holds every bound name of the model and, dotted, of its layers. `ranges`
    bounds integer inputs: label in 0..10; `besides` has the numbers that they may hold beyond, for
    a loss ignores them. `assumptions` are the relations between free dimensions
    that hold in every run.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: dict[str, Value]
    variables: dict[str, Variable]
    outputs: dict[str, Value]
    losses: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, Value] = field(default_factory=dict)
    updates: dict[str, Value] = field(default_factory=dict)
    gradients: dict[str, Value] = field(default_factory=dict)
    copies: dict[str, Copy] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    key: Value | None = None
    layers: tuple[Layer, ...] = ()
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    besides: Mapping[str, frozenset[int]] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()

    @property
    def parameters(self) -> dict[str, Variable]:
        return {n: v for n, v in self.variables.items() if v.kind == "parameter"}

    @property
    def trainable(self) -> dict[str, Variable]:
        """The parameters that are not frozen in the file."""
        return {n: v for n, v in self.parameters.items() if v.trained}

    @property
    def buffers(self) -> dict[str, Variable]:
        """What is kept with the parameters and not trained: statistics, state, copies."""
        kinds = ("buffer", "state", "copy")
        return {n: v for n, v in self.variables.items() if v.kind in kinds}

    def results(self) -> Iterator[Value]:
        """Every value that a run of this graph must produce."""
        for role in (self.outputs, self.losses, self.metrics, self.gradients, self.updates):
            yield from role.values()
        yield from (copy.decay for copy in self.copies.values() if copy.decay is not None)

    @property
    def symbols(self) -> frozenset[str]:
        """Names of the free dimensions."""
        return frozenset().union(*(value.type.symbols for value in self.inputs.values()))


def _is_size(dim: Dim, inputs: tuple[Value | None, ...]) -> bool:
    """Whether it is at least 0: by itself, as the size of an input, or by assumption."""
    if isinstance(dim, int):
        return dim >= 0
    if bounds(dim)[0] >= 0 or any(x is not None and dim in x.shape for x in inputs):
        return True
    return within(0, dim)


class Emitter:
    """Adds nodes: `y = emit(conv, x, weight, bias, stride=(1, 1))`.

    Every op's shape rule runs at once, so a node with wrong operands is never made. `path` and
    `span` are what nodes emitted from now on are labelled with.
    """

    def __init__(self, path: str = "", span: Span | None = None):
        self.nodes: list[Node] = []
        self.path, self.span = path, span

    def __call__(self, op: Op, *inputs: Value | None, **attributes):
        """The op's output, or the tuple of them. Raises ShapeError."""
        return self.with_attrs(op, inputs, op.attrs(**attributes))

    def with_attrs(self, op: Op, inputs: Iterable[Value | None], attrs: Attrs):
        """The same, with the attributes as a record."""
        outputs = self.outputs(op, inputs, attrs)
        return outputs[0] if len(outputs) == 1 else outputs

    def outputs(
        self, op: Op, inputs: Iterable[Value | None], attrs: Attrs
    ) -> tuple[Value, ...]:
        """The same, always as a tuple: for who takes any op's outputs."""
        inputs = tuple(inputs)
        inferred = op.shape(attrs, *(None if v is None else v.type for v in inputs))
        types = inferred if isinstance(inferred, tuple) else (inferred,)
        for type in types:
            if not all(_is_size(dim, inputs) for dim in type.shape):
                raise ShapeError(f"{type} would have a negative size")
        node = Node(op, inputs, attrs, types, self.path, self.span)
        self.nodes.append(node)
        return node.outputs

    def at(self, node: Node) -> Emitter:
        """This emitter, labelling what comes next as belonging where `node` does."""
        self.path, self.span = node.path, node.span
        return self
