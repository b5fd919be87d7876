"""What a network is made of and what it costs: layers in the order of the data, and totals for
inference and training. Parameters are counted once, operations every time.

MACs are multiply-accumulates of convolutions and matrix products for one example (the batch is 1),
without bias, normalisation and activation. They are exact; where other dimensions are free, they
are formulas.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdsl.ir.assumptions import strongest
from netdsl.ir.dim import Dim, Symbol, substitute
from netdsl.ir.graph import Graph, Node
from netdsl.ir.relations import Assumption
from netdsl.ir.tensor import TensorType
from netdsl.rewrite.phases import infer, train
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer, or a function between layers. `depth` counts the layers around it; `uses` the
    applications of a shared instance, whose output is that of the first. `phases` tells in which
    graphs it takes part: "inference", "training"."""

    path: str
    kind: str
    depth: int
    output: tuple[TensorType, ...]
    parameters: int
    macs: Dim
    uses: int
    phases: tuple[str, ...]
    is_function: bool
    span: Span | None


@dataclass(frozen=True, slots=True)
class PhaseTotals:
    """Elements of parameters and of buffers, and MACs of the forward pass."""

    parameters: int
    buffers: int
    macs: Dim


@dataclass(frozen=True, slots=True)
class Summary:
    model: str
    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]
    layers: tuple[LayerRow, ...]
    inference: PhaseTotals
    training: PhaseTotals
    assumptions: tuple[Assumption, ...] = ()

    def __repr__(self) -> str:
        parameters = max(self.inference.parameters, self.training.parameters)
        macs = self.inference.macs
        shown = f"{macs:,}" if isinstance(macs, int) else str(macs)
        return f"<Summary of {self.model}: {parameters:,} parameters, {shown} MACs>"


def summarize(graph: Graph) -> Summary:
    """The summary of a whole model's graph, as the builder gives it."""
    sizes = batch_of_one(graph)
    inference, training = infer(graph), train(graph)
    return Summary(
        model=graph.name,
        inputs={name: value.type for name, value in graph.inputs.items()},
        outputs={name: value.type for name, value in graph.outputs.items()},
        layers=layer_rows(graph, inference, training, sizes),
        inference=totals(inference, sizes),
        training=totals(training, sizes),
        assumptions=strongest(graph.assumptions),
    )


def batch_of_one(graph: Graph) -> dict[str, Dim]:
    """Size 1 for the batch: the free dimension that leads an input's shape."""
    sizes: dict[str, Dim] = {}
    for value in graph.inputs.values():
        leading = value.shape[0] if value.shape else 1
        if not isinstance(leading, int):
            atoms = [atom for monomial, _ in leading.terms for atom, _ in monomial]
            if len(atoms) == 1 and isinstance(atoms[0], Symbol):
                sizes[atoms[0].name] = 1
    return sizes


def macs_of(node: Node, sizes: dict[str, Dim]) -> Dim:
    """The MACs of one node."""
    inputs = tuple(None if value is None else value.type for value in node.inputs)
    cost = node.op.cost(node.attrs, inputs, tuple(value.type for value in node.outputs))
    return substitute(cost.macs, sizes)


def totals(graph: Graph, sizes: dict[str, Dim]) -> PhaseTotals:
    """The totals of one slice."""
    return PhaseTotals(
        parameters=sum(v.type.size for v in graph.parameters.values()),
        buffers=sum(v.type.size for v in graph.buffers.values()),
        macs=sum((macs_of(node, sizes) for node in graph.nodes), start=0),
    )


def layer_rows(
    graph: Graph, inference: Graph, training: Graph, sizes: dict[str, Dim]
) -> tuple[LayerRow, ...]:
    """A row for every path, at the place of its first application."""
    macs: dict[str, Dim] = {}
    for node in graph.nodes:
        cost = macs_of(node, sizes)
        if cost != 0:
            for path in prefixes(node.path):
                macs[path] = macs.get(path, 0) + cost
    parameters: dict[str, int] = {}
    for name, variable in graph.parameters.items():
        for path in prefixes(name):
            parameters[path] = parameters.get(path, 0) + variable.type.size
    reached = {"inference": _paths(inference.nodes), "training": _paths(training.nodes)}
    uses: dict[str, int] = {}
    for layer in graph.layers:
        uses[layer.path] = uses.get(layer.path, 0) + 1
    rows: dict[str, LayerRow] = {}
    for layer in graph.layers:
        if layer.path in rows:
            continue
        around = [path for path in prefixes(layer.path) if path in uses and path != layer.path]
        rows[layer.path] = LayerRow(
            path=layer.path, kind=layer.kind,
            depth=len(around), output=layer.outputs,
            parameters=parameters.get(layer.path, 0), macs=macs.get(layer.path, 0),
            uses=uses[layer.path],
            phases=tuple(phase for phase, paths in reached.items() if layer.path in paths),
            is_function=layer.is_function, span=layer.span,
        )
    return tuple(rows.values())


def _paths(nodes: Iterable[Node]) -> set[str]:
    return {path for node in nodes for path in prefixes(node.path)}
