"""Steps in several passes (`accumulate`), checked: whether there are rows to share, and what will
differ from one pass or save nothing."""

from __future__ import annotations

from collections.abc import Iterable

from netdsl.diagnostics import Report
from netdsl.diagnostics.passes import FixedRows, NormalisedByPass, RowsMeetEarly
from netdsl.ir.dim import free_symbols, substitute, symbol
from netdsl.ir.graph import Graph, Node
from netdsl.ir.program import TrainProgram
from netdsl.rewrite.rows import Kind, RowSplit, split_rows
from netdsl.rewrite.specialize import specialize

USUAL_SIZE = 16  # of a free dimension that is not the batch, where sizes are compared


def leading_symbols(graph: Graph) -> list[str]:
    """The free dimensions that lead the shape of an input: the batch, and what is as long."""
    leading = [value.shape[0] for value in graph.inputs.values() if value.shape]
    names = [name for dim in leading for name in sorted(free_symbols(dim)) if dim == symbol(name)]
    return list(dict.fromkeys(names))


def check_passes(slice: Graph, program: TrainProgram, report: Report) -> None:
    """Report what is to be said of a program that accumulates, for the slice that a step trains,
    its frozen layers settled. Its batch is a multiple of its passes."""
    passes, span = program.settings.get("accumulate", 1), program.spans.get("accumulate")
    if passes == 1:
        return
    leading = leading_symbols(slice)
    if not leading:
        told = next((f"`{name}: {v.type}`" for name, v in slice.inputs.items() if v.shape), "")
        report.add(FixedRows(span, told))
        return
    same = {name: symbol(leading[0]) for name in leading[1:]}
    split = split_rows(specialize(slice, same) if same else slice, leading[0])
    normalised = [n for n in split.graph.nodes if not split.by_pass.isdisjoint(n.outputs)]
    if normalised:
        layers = dict.fromkeys(node.path for node in normalised)
        report.add(NormalisedByPass(span, program.batch // passes, tuple(layers)))
    whole = _elements(split, split.nodes(Kind.COUPLED), program.batch)
    if whole > _elements(split, split.nodes(Kind.ROW_WISE), program.batch):
        meeting = _rows_meet_at(split)
        report.add(RowsMeetEarly(span, None if meeting is None else meeting.span))


def _elements(split: RowSplit, nodes: Iterable[Node], batch: int) -> int:
    sizes = dict.fromkeys(split.graph.symbols, USUAL_SIZE) | {split.batch: batch}
    return sum(substitute(v.type.size, sizes) for node in nodes for v in node.outputs)


def _rows_meet_at(split: RowSplit) -> Node | None:
    """The first node in which rows meet although its operands have rows of their own."""
    return next((node for node in split.nodes(Kind.COUPLED)
                 if any(value in split.axis for value in node.inputs)), None)
