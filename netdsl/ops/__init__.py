"""What a graph computes: one file a family, every facet of its operations inside."""

from __future__ import annotations

from netdsl.ir.op import Op
from netdsl.ops import (
    constant,
    conv,
    elementwise,
    layout,
    loss,
    matmul,
    norm,
    pool,
    random,
    reduction,
    update,
)

FAMILIES = (
    constant, elementwise, reduction, layout, matmul, conv, pool, norm, random, loss, update,
)
OPS: dict[str, Op] = {op.name: op for family in FAMILIES for op in family.OPS}
