"""What a graph computes: one file a family, every facet of its operations inside."""

from __future__ import annotations

from netdsl.ir.op import Op
from netdsl.ops import (
    activation,
    constant,
    conv,
    elementwise,
    indexing,
    layout,
    loss,
    matmul,
    norm,
    pool,
    random,
    recurrent,
    reduction,
    rownorm,
    update,
)

FAMILIES = (
    constant, elementwise, activation, reduction, layout, indexing, matmul, conv, pool,
    norm, rownorm, recurrent, random, loss, update,
)
OPS: dict[str, Op] = {op.name: op for family in FAMILIES for op in family.OPS}
