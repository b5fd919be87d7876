"""What a graph computes: one file a family, every facet of its operations inside."""

from __future__ import annotations

from netdsl.ir.op import Op
from netdsl.ops import (
    activation,
    comparison,
    constant,
    conv,
    elementwise,
    guard,
    indexing,
    layout,
    local,
    loss,
    matmul,
    norm,
    pool,
    random,
    recurrent,
    reduction,
    rownorm,
    running,
    update,
)

FAMILIES = (
    constant, comparison, elementwise, activation, reduction, running, layout, indexing, matmul,
    conv, local, pool, norm, rownorm, recurrent, random, loss, guard, update,
)
OPS: dict[str, Op] = {op.name: op for family in FAMILIES for op in family.OPS}
