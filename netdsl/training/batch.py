"""The batch of a training program against what the model assumes of it."""

from __future__ import annotations

from netdsl.diagnostics import Report
from netdsl.diagnostics.shapes import BatchRefused
from netdsl.ir.assumptions import strongest
from netdsl.ir.dim import free_symbols, symbol
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram
from netdsl.ir.relations import Relation
from netdsl.rewrite.phases import train

MOST_TRIED = 1000  # batches below and above the one that is refused


def check_batch(graph: Graph, program: TrainProgram, report: Report) -> None:
    """Report relations about the batch alone, in what training needs of a whole model, that the
    program's `batch` breaks. The batch is the free dimension that leads the shape of an input."""
    losses = dict.fromkeys(m.loss for step in program.steps for m in step.minimize)
    chosen = [loss for loss in losses if loss in graph.losses]
    if not graph.assumptions or not chosen:
        return
    needed = train(graph, chosen)
    leading = {value.shape[0] for value in needed.inputs.values() if value.shape}
    names = {name for dim in leading for name in free_symbols(dim) if dim == symbol(name)}
    sizes = dict.fromkeys(names, program.batch)
    about = [each for each in strongest(needed.assumptions) if each.relation.symbols <= names]
    for each in about:
        if not each.relation.holds(sizes):
            report.add(BatchRefused(
                program.spans.get("batch", program.span), each.said(sizes),
                each.relation.seen_in(sizes), str(each.relation), each.span,
                _nearest(program.batch, [other.relation for other in about], names)))


def _nearest(batch: int, relations: list[Relation], names: set[str]) -> int | None:
    """The batch nearest to this one that fulfils all relations."""
    for apart in range(1, min(batch, MOST_TRIED)):
        for size in (batch - apart, batch + apart):
            if all(each.holds(dict.fromkeys(names, size)) for each in relations):
                return size
    return None
