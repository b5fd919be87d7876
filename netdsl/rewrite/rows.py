"""Which part of a graph treats every row of the batch by itself, and where rows meet.

`split_rows` follows the rows from the inputs that carry them, asking each op's facet `rows`
(netdsl/ir/op.py), and sorts the nodes:

    row-wise   each row of the result depends on the same row of what is fed, and on what is shared
    shared     the same for all rows, and made without knowing how many they are
    known      rests on no row that is fed and on nothing trained: draws, constants that count the
               rows. Made for the whole batch beforehand; then it is fed like an input
    coupled    everything else, and all that reads it: a mean over the batch, a similarity matrix

So a batch may go through the row-wise part in passes of a few rows, on one machine after another or
on several at once. What the coupled part reads of it is the `frontier`; `row_graph` and
`coupled_graph` are the two sides, joined by leaves with the names in `frontier`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum

from netdsl.ir.dim import Dim, Expr, free_symbols, symbol
from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.ir.op import Rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.random import PART_KEY
from netdsl.rewrite.between import fed_at
from netdsl.rewrite.rebuild import needed, prune, rebuild, sizes_in

PART = "@part"  # the input that is the key of a part: seed, step, parts before


class Kind(Enum):
    ROW_WISE = "row-wise"
    SHARED = "shared"
    KNOWN = "known"
    COUPLED = "coupled"


@dataclass(frozen=True, eq=False)
class RowSplit:
    """A graph whose batch is the free dimension `batch`, sorted. `axis` tells for values with rows
    along which of their axes these lie. `by_pass` are the values that an op makes of the rows of a
    pass together (batch norm's statistics). `frontier` and `known` name what is fed across."""

    graph: Graph
    batch: str
    kinds: dict[Node, Kind]
    axis: dict[Value, int]
    by_pass: frozenset[Value]
    frontier: dict[str, Value]
    known: dict[str, Value]

    def nodes(self, kind: Kind) -> list[Node]:
        return [node for node in self.graph.nodes if self.kinds[node] is kind]


def split_rows(graph: Graph, batch: str) -> RowSplit:
    """Sort the nodes of a training slice: losses, and updates of buffers and states. Reductions
    over rows and other axes at once are made over the others first, which is row-wise."""
    graph = _rows_last(_sorted(graph, batch))
    return _sorted(graph, batch).split()


def _sorted(graph: Graph, batch: str) -> _Walk:
    whole: frozenset[Node] = frozenset()  # by-pass nodes that the coupled part reads
    while True:
        walk = _Walk(graph, batch, whole)
        read_whole = walk.by_pass_read_whole()
        if not read_whole:
            return walk
        whole |= read_whole


def _rows_last(walk: _Walk) -> Graph:
    """The graph in which `mean` over all axes is that over rows of means over the others."""

    def in_steps(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if not node.op.stepwise or walk.kinds[node] is not Kind.COUPLED:
            return None
        own, rank = walk.axis.get(node.inputs[0]), node.inputs[0].type.rank
        others = tuple(axis for axis in node.attrs.axes if axis % rank != own)
        if own is None or not others:
            return None
        part = emit.outputs(node.op, inputs, replace(node.attrs, axes=others, keep=True))
        return emit.outputs(node.op, part, node.attrs)

    return rebuild(walk.graph, in_steps)


class _Walk:
    """One walk over the nodes; those in `whole` are taken for coupled."""

    def __init__(self, graph: Graph, batch: str, whole: frozenset[Node]):
        self.graph, self.batch, self.whole = graph, batch, whole
        self.kinds: dict[Node, Kind] = {}
        self.axis: dict[Value, int] = {}
        self.by_pass: set[Value] = set()
        fed = [value for value in graph.inputs.values() if self._counts(value.type)]
        trained = [variable.value for variable in graph.trainable.values()]
        self.open = {*fed, *trained}  # what is not known beforehand
        for value in fed:
            self._leading(value)
        for node in graph.nodes:
            self.kinds[node] = self._kind(node)

    def _leading(self, value: Value) -> None:
        """Rows lie along the first axis of what is known for the whole batch, if any fit there."""
        if self._holds_rows(value.type, 0):
            self.axis[value] = 0

    def _kind(self, node: Node) -> Kind:
        operands = [value for value in node.inputs if value is not None]
        if any(value in self.open for value in operands):
            self.open.update(node.outputs)
        makers = {self.kinds.get(value.node) for value in operands}
        if Kind.COUPLED in makers or node in self.whole:
            return Kind.COUPLED
        counts = any(self._counts(value.type) for value in (*operands, *node.outputs))
        if not (counts or self._mentioned(node, but="shape")
                or any(value in self.by_pass for value in operands)):
            return Kind.SHARED
        if self._is_row_wise(node):
            return Kind.ROW_WISE
        if self.open.isdisjoint(node.outputs):
            for value in node.outputs:
                self._leading(value)
            return Kind.KNOWN
        return Kind.COUPLED

    def _is_row_wise(self, node: Node) -> bool:
        """Whether the op says so and the sizes bear it out; then its outputs have their axes."""
        carried = {i for i, _ in node.op.carries}
        for i, value in enumerate(node.inputs):
            if value is None or value in self.axis:
                continue
            if self._counts(value.type) or (value in self.by_pass and i not in carried):
                return False
        if node.op.rows is None or self._mentioned(node, but="shape"):
            return False
        types = tuple(None if value is None else value.type for value in node.inputs)
        told = node.op.rows(node.attrs, types, tuple(map(self.axis.get, node.inputs)))
        if told is Rows.MEET:
            return False
        told = told if isinstance(told, tuple) else (told,) * len(node.outputs)
        for value, axis in zip(node.outputs, told):
            without = axis is None or axis is Rows.BY_PASS
            if self._counts(value.type) if without else not self._holds_rows(value.type, axis):
                return False
        for value, axis in zip(node.outputs, told):
            if axis is Rows.BY_PASS:
                self.by_pass.add(value)
            elif axis is not None:
                self.axis[value] = axis
        return True

    def _holds_rows(self, type: TensorType, axis: int) -> bool:
        """Whether that axis is a whole multiple of the batch, and no other counts it."""
        if axis >= type.rank or self.batch not in free_symbols(type.shape[axis]):
            return False
        others = (*type.shape[:axis], *type.shape[axis + 1 :])
        each, rest = divmod_rows(type.shape[axis], self.batch)
        return rest == 0 and not any(self.batch in free_symbols(dim) for dim in (each, *others))

    def _counts(self, type: TensorType) -> bool:
        return self.batch in type.symbols

    def _mentioned(self, node: Node, but: str = "") -> bool:
        """Whether an attribute, one of that name aside, counts the rows."""
        return any(
            self.batch in free_symbols(size)
            for field in fields(node.attrs) if field.name != but
            for size in sizes_in(getattr(node.attrs, field.name))
        )

    def by_pass_read_whole(self) -> frozenset[Node]:
        """The nodes whose statistics of a pass the coupled part reads, which knows no passes."""
        return frozenset(
            value.node for node, kind in self.kinds.items() if kind is not Kind.ROW_WISE
            for value in node.inputs if value in self.by_pass
        )

    def split(self) -> RowSplit:
        graph, kinds = self.graph, self.kinds
        results = (*graph.losses.values(), *graph.updates.values())
        live, _ = needed(graph.nodes, results)
        across: dict[Value, None] = {}
        before: dict[Value, None] = dict.fromkeys(results)
        for node in live:
            for value in node.inputs:
                if value is None or value.node is None:
                    continue
                if kinds[node] is Kind.COUPLED and kinds[value.node] is Kind.ROW_WISE:
                    across[value] = None
                elif kinds[node] is not Kind.KNOWN:
                    before[value] = None
        known = [v for v in before if v.node is not None and kinds[v.node] is Kind.KNOWN]
        return RowSplit(
            graph, self.batch, kinds, self.axis, frozenset(self.by_pass),
            {f"@row.{i}": value for i, value in enumerate(across)},
            {f"@known.{i}": value for i, value in enumerate(known)},
        )


def divmod_rows(dim: Dim, batch: str) -> tuple[Dim, Dim]:
    """How often the batch goes into a size, and what is left."""
    rows = symbol(batch)
    each = dim // rows if isinstance(dim, Expr) else 0
    return each, dim - each * rows


# ------------------------------------------------------------------ the parts


def known_graph(split: RowSplit) -> Graph:
    """What is made for the whole batch beforehand, as outputs."""
    return prune(_bare(split.graph, outputs=split.known))


def row_graph(split: RowSplit) -> Graph:
    """The row-wise part: the frontier as outputs, and the updates that are made pass by pass. The
    batch is that of a pass, `known` values are fed; who draws for its rows does so by the key of
    its part, the input `PART`."""
    updates = {name: v for name, v in split.graph.updates.items() if v in split.by_pass}
    part = Value(PART_KEY, name=PART)
    bare = _bare(split.graph, outputs=split.frontier, updates=updates)
    bare = replace(bare, inputs={**bare.inputs, PART: part})
    leaves = _leaves(split.known)

    def of_part(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if not leaves.keys().isdisjoint(node.outputs):
            return tuple(leaves.get(value, value) for value in node.outputs)
        draws = bare.key is not None and bare.key in inputs
        if not draws or split.kinds[node] is not Kind.ROW_WISE:
            return None
        inputs = tuple(part if value is bare.key else value for value in inputs)
        return emit.outputs(node.op, inputs, node.attrs)

    fed = {**bare.inputs, **{leaf.name: leaf for leaf in leaves.values()}}
    return rebuild(replace(bare, inputs=fed), of_part)


def coupled_graph(split: RowSplit) -> Graph:
    """The coupled part: the losses, and as outputs the next values of what is not updated pass by
    pass, for the whole batch; the frontier and `known` values are fed."""
    nexts = {name: v for name, v in split.graph.updates.items() if v not in split.by_pass}
    cut = _leaves({**split.frontier, **split.known})
    return fed_at(_bare(split.graph, losses=split.graph.losses, outputs=nexts), cut)


def _leaves(values: dict[str, Value]) -> dict[Value, Value]:
    return {value: Value(value.type, name=name) for name, value in values.items()}


def _bare(graph: Graph, **roles) -> Graph:
    """The graph with these roles alone. Its assumptions are about the whole."""
    empty = {role: {} for role in ("outputs", "losses", "metrics", "updates", "gradients",
                                   "copies", "names")}
    return replace(graph, **{**empty, **roles}, assumptions=())
